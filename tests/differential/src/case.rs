//! One random case: a proxy function, what stands behind it on the partitions, and calls.

use crate::random::Random;
use crate::values::Type;

struct Argument {
    /// As it is declared; empty for one without a name.
    declared: &'static str,
    /// As a body can refer to it, if it can by name.
    by_name: Option<&'static str>,
    number: usize,
    kind: Type,
    split: bool,
}

impl Argument {
    fn reference(&self, random: &mut Random) -> String {
        match self.by_name {
            Some(name) if random.percent(60) => {
                if random.percent(20) {
                    name.to_uppercase()
                } else {
                    name.to_owned()
                }
            }
            _ => format!("${}", self.number),
        }
    }
}

/// What the function returns.
enum Returns {
    Void,
    Scalar(Type),
    /// OUT parameters, or the columns of TABLE.
    Columns(Vec<(&'static str, Type)>),
    Table(Vec<(&'static str, Type)>),
    /// `record`, whose columns come with the call.
    Record(Vec<(&'static str, Type)>),
}

const NAMES: &[(&str, Option<&str>)] = &[
    ("a", Some("a")),
    ("bb", Some("bb")),
    ("i_name", Some("i_name")),
    ("_x1", Some("_x1")),
    ("\"Odd\"", Some("odd")),
    ("\"two words\"", None),
    ("\"select\"", None),
    ("", None),
    ("", None),
    ("ärg", Some("ärg")),
];
const COLUMNS: &[&str] = &["o1", "\"O2\"", "\"o 3\"", "o4"];

/// The statements of case `number`.
pub fn statements(random: &mut Random, number: usize) -> String {
    let arguments = arguments(random);
    let set = random.percent(55);
    let returns = returns(random);
    let own = random.percent(50) && !matches!(returns, Returns::Record(_));
    let run_on = run_on(random, &arguments, set);
    let name = if random.percent(5) {
        format!("r.\"F {number}\"")
    } else {
        format!("r.f{number}")
    };

    // Where any partition will do there must be one alone, or no two runs would be the same.
    let cluster = if run_on.any {
        "single"
    } else {
        random.pick(&["parts", "parts_text"])
    };
    let mut body = vec![format!("cluster '{cluster}'")];
    body.extend(run_on.statement.clone());
    let split: Vec<String> = arguments
        .iter()
        .filter(|argument| argument.split)
        .map(|a| a.reference(random))
        .collect();
    if !split.is_empty() {
        let all = arguments
            .iter()
            .filter(|argument| argument.kind.array)
            .all(|argument| argument.split);
        body.push(if all && random.percent(50) {
            "split all".to_owned()
        } else {
            format!("split {}", split.join(", "))
        });
    }
    if own {
        body.push(query(random, &returns, set, &run_on, |random| {
            by_reference(random, &arguments)
        }));
    } else if random.percent(20) {
        body.push(format!("target r.g{number}"));
    }
    spoil(random, &mut body, run_on.many);
    let target = if body.iter().any(|statement| statement.starts_with("target")) {
        format!("r.g{number}")
    } else {
        name.clone()
    };
    random.shuffle(&mut body);

    let parameters = parameters(&arguments, &returns);
    let mut out = String::new();
    if !own && (run_on.any || run_on.many || random.percent(96)) {
        let far = query(random, &returns, set, &run_on, |_| by_number(&arguments));
        out.push_str(&format!(
            "call everywhere($e$ create function {target}({parameters}){} language sql as $g$ {far} $g$ $e$);\n",
            declared(&returns, set),
        ));
    }
    out.push_str(&format!(
        "create function {name}({parameters}){} language plproxy as $b$ {} $b$;\n",
        declared(&returns, set),
        text(random, &body),
    ));
    for _ in 0..=random.below(3) {
        out.push_str(&call(random, &name, &arguments, &returns));
    }
    out
}

fn arguments(random: &mut Random) -> Vec<Argument> {
    let mut names = NAMES.to_vec();
    random.shuffle(&mut names);
    let splits = random.percent(25);
    let count = random.below(6);
    let mut arguments: Vec<Argument> = names
        .into_iter()
        .take(count)
        .zip(1..)
        .map(|((declared, by_name), number)| {
            let kind = Type::any(random);
            Argument {
                declared,
                by_name,
                number,
                kind,
                split: splits && kind.array && random.percent(80),
            }
        })
        .collect();
    if let (false, Some(first)) = (splits, arguments.first_mut()) {
        first.split = first.kind.array && random.percent(10);
    }
    arguments
}

fn returns(random: &mut Random) -> Returns {
    let columns = |random: &mut Random| {
        let mut names = COLUMNS.to_vec();
        random.shuffle(&mut names);
        let count = 2 + random.below(3);
        names
            .into_iter()
            .take(count)
            .map(|name| (name, Type::any(random)))
            .collect()
    };
    match random.below(20) {
        0 | 1 => Returns::Void,
        2..=5 => Returns::Columns(columns(random)),
        6 | 7 => Returns::Table(columns(random)),
        8 | 9 => Returns::Record(columns(random)),
        _ => Returns::Scalar(Type::any(random)),
    }
}

struct RunOn {
    statement: Option<String>,
    /// Where it may run on more than one partition, a failure there has no certain place.
    many: bool,
    any: bool,
}

fn run_on(random: &mut Random, arguments: &[Argument], set: bool) -> RunOn {
    let splits = arguments.iter().any(|argument| argument.split);
    let integers: Vec<&Argument> = arguments
        .iter()
        .filter(|a| a.kind.is_integer() && (!a.kind.array || a.split))
        .collect();
    let told = |statement: String, many| RunOn {
        statement: Some(statement),
        many,
        any: false,
    };
    let at = random.below(integers.len());
    let integer = integers.get(at);
    let at = random.below(arguments.len());
    let other = arguments
        .get(at)
        .filter(|argument| !argument.kind.array || argument.split);
    match (random.below(10), integer, other) {
        (0 | 1, ..) if set && !splits => told("run on all".to_owned(), true),
        (2, ..) if !splits => RunOn {
            statement: random.percent(50).then(|| "run on any".to_owned()),
            many: false,
            any: true,
        },
        (3..=5, Some(argument), _) => {
            told(format!("run on {}", argument.reference(random)), splits)
        }
        (6, Some(argument), _) if set => told(
            format!("run on r.some({})", argument.reference(random)),
            true,
        ),
        (7 | 8, _, Some(argument)) => told(
            format!("run on r.place({})", argument.reference(random)),
            splits,
        ),
        _ => {
            let end = if random.percent(5) { 9 } else { 4 };
            told(format!("run on {}", random.below(end)), false)
        }
    }
}

/// The query that stands in the body, or in the partition's function: `expressions` gives what can be returned.
fn query(
    random: &mut Random,
    returns: &Returns,
    set: bool,
    run_on: &RunOn,
    mut expressions: impl FnMut(&mut Random) -> Vec<(Type, String)>,
) -> String {
    let mut of_type = |random: &mut Random, kind: &Type| {
        let fit: Vec<String> = expressions(random)
            .into_iter()
            .filter(|(t, _)| t.name() == kind.name())
            .map(|(_, e)| e)
            .collect();
        let at = random.below(fit.len());
        match fit.get(at) {
            Some(expression) if random.percent(85) => format!("({expression})"),
            _ if kind.name() == "int4" && !run_on.any && random.percent(50) => {
                "public.part()".to_owned()
            }
            _ if kind.name() == "int4" && !run_on.many && random.percent(4) => "(1 / 0)".to_owned(),
            _ => {
                let length = random.below(4);
                kind.value(random, length)
            }
        }
    };
    let list = match returns {
        Returns::Void => "1".to_owned(),
        Returns::Scalar(kind) => of_type(random, kind),
        Returns::Columns(columns) | Returns::Table(columns) | Returns::Record(columns) => {
            let list: Vec<String> = columns
                .iter()
                .map(|(name, kind)| format!("{} as {name}", of_type(random, kind)))
                .collect();
            list.join(", ")
        }
    };
    let rows = if set {
        random.below(4)
    } else {
        usize::from(!random.percent(4))
    };
    match rows {
        1 => format!("select {list}"),
        rows => format!("select {list} from generate_series(1, {rows})"),
    }
}

fn by_reference(random: &mut Random, arguments: &[Argument]) -> Vec<(Type, String)> {
    arguments
        .iter()
        .map(|argument| (argument.kind, argument.reference(random)))
        .collect()
}

fn by_number(arguments: &[Argument]) -> Vec<(Type, String)> {
    arguments
        .iter()
        .map(|argument| (argument.kind, format!("${}", argument.number)))
        .collect()
}

/// Now and then the body is bad.
fn spoil(random: &mut Random, body: &mut Vec<String>, many: bool) {
    match random.below(60) {
        0 => body.push("run on $9".to_owned()),
        1 => body.push("cluster 'parts'".to_owned()),
        2 => body.push("connect 'dbname=x'".to_owned()),
        3 if !many => body.push("target r.other".to_owned()),
        4 => body.push("bogus".to_owned()),
        5 => body.push("split no_such".to_owned()),
        6 => body.retain(|statement| !statement.starts_with("cluster")),
        7 => body.push(String::new()),
        _ => {}
    }
}

/// The body's text: each statement with its `;`, blanks, comments and letters of either case.
fn text(random: &mut Random, body: &[String]) -> String {
    let mut out = String::new();
    for statement in body {
        let mut words = statement.splitn(2, ' ');
        let first = words.next().unwrap_or_default();
        out.push_str(&match random.below(3) {
            0 => first.to_uppercase(),
            _ => first.to_owned(),
        });
        if let Some(rest) = words.next() {
            out.push_str(random.pick(&[" ", "  ", "\n", " /* ; */ ", " -- a\n", "\t"]));
            out.push_str(rest);
        }
        // A query would swallow the statement behind it.
        let forgets = !statement.starts_with("select") && random.below(100) == 0;
        out.push_str(if forgets { " " } else { ";" });
        out.push_str(random.pick(&[" ", "\n", "\n\n", " -- it's $1\n", "/* \" */"]));
    }
    out
}

fn parameters(arguments: &[Argument], returns: &Returns) -> String {
    let mut list: Vec<String> = arguments
        .iter()
        .map(|a| format!("{} {}", a.declared, a.kind.name()))
        .collect();
    if let Returns::Columns(columns) = returns {
        list.extend(
            columns
                .iter()
                .map(|(name, kind)| format!("out {name} {}", kind.name())),
        );
    }
    list.join(", ")
}

fn declared(returns: &Returns, set: bool) -> String {
    let columns = |columns: &[(&str, Type)]| {
        columns
            .iter()
            .map(|(name, kind)| format!("{name} {}", kind.name()))
            .collect::<Vec<_>>()
            .join(", ")
    };
    let what = match returns {
        Returns::Void => "void".to_owned(),
        Returns::Scalar(kind) => kind.name(),
        Returns::Table(list) => return format!(" returns table ({})", columns(list)),
        Returns::Columns(_) | Returns::Record(_) => "record".to_owned(),
    };
    format!(" returns {}{what}", if set { "setof " } else { "" })
}

fn call(random: &mut Random, name: &str, arguments: &[Argument], returns: &Returns) -> String {
    let length = random.below(6);
    let values: Vec<String> = arguments
        .iter()
        .map(|argument| {
            let length = if random.percent(5) {
                random.below(3)
            } else {
                length
            };
            argument.kind.value(random, length)
        })
        .collect();
    let call = format!("{name}({})", values.join(", "));
    match returns {
        Returns::Record(columns) => {
            let list: Vec<String> = columns
                .iter()
                .map(|(name, kind)| format!("{name} {}", kind.name()))
                .collect();
            format!("select * from {call} as ({});\n", list.join(", "))
        }
        Returns::Columns(_) | Returns::Table(_) => match random.below(4) {
            0 => format!("select {call};\n"),
            1 => format!("select ({call}).*;\n"),
            _ => format!("select * from {call};\n"),
        },
        _ => match random.below(4) {
            0 => format!("select * from {call};\n"),
            1 => format!("select x, count(*) over () from {call} as x;\n"),
            _ => format!("select {call};\n"),
        },
    }
}
