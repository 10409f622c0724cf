//! A function as the catalogs declare it, on its way to being compiled.
#![forbid(unsafe_code)]

use super::signature::{Dependencies, ProxyArg, ResultType};
use crate::error::{Error, FunctionLabel, Report};
use crate::pg::allocator;
use crate::pg::fcinfo::CallResult;
use crate::pg::inval::Dependency;
use crate::pg::proc::{ArgMode, Proc};
use crate::pg::settings;
use crate::pg::types::{TypeClass, TypeInfo};
use crate::type_cache;
use pgrx::pg_sys::{self, Oid};
use plproxy_core::function::{Argument, Procedure, Program, Returns, Signature, compile};
use plproxy_core::ident::quote_ident;
use std::rc::Rc;

/// What messages about the type of a result give for the number of arguments.
const NO_ARGS: usize = 0;

/// A function whose arguments are known to be fit.
pub(crate) struct Declared {
    pub(crate) label: FunctionLabel,
    pub(crate) is_set: bool,
    pub(crate) depends_on: Dependencies,
    pub(crate) owner: Oid,
    schema: String,
    name: String,
    source: String,
    result_type: Oid,
    /// Some output column has a name. Without, the columns come with the call, as for `record`.
    names_outputs: bool,
    /// For a procedure, the places of the arguments that are OUT only.
    procedure: Option<Box<Procedure>>,
    args: Vec<(Option<String>, Rc<TypeInfo>)>,
}

impl Declared {
    /// Reads the catalogs and checks what does not depend on the body.
    pub(crate) fn find(oid: Oid) -> Result<Self, Error> {
        let proc = Proc::find(oid)?;
        if !proc.is_volatile {
            return Err(Report::internal("PL/Proxy functions must be volatile").into());
        }
        if proc.is_variadic {
            return Err(Report::internal("PL/Proxy does not support variadic args").into());
        }
        let mut this = Self {
            label: FunctionLabel {
                name: format!("{}.{}", quote_ident(&proc.schema), quote_ident(&proc.name)).into(),
                nargs: 0,
            },
            is_set: proc.is_set,
            depends_on: Dependencies {
                rows: proc.depends_on.into(),
                types: Vec::new(),
            },
            owner: proc.owner,
            schema: proc.schema,
            name: proc.name,
            source: proc.source,
            result_type: proc.result_type,
            names_outputs: proc
                .args
                .iter()
                .any(|arg| arg.mode.is_output() && arg.name.is_some()),
            procedure: proc.is_procedure.then(|| {
                let args = proc.args.iter().enumerate();
                let outputs = args.filter(|(_, arg)| arg.mode == ArgMode::Out);
                let outputs = outputs.map(|(place, _)| place).collect();
                Box::new(Procedure { outputs })
            }),
            args: Vec::with_capacity(proc.args.len()),
        };
        for arg in proc.args.into_iter().filter(|arg| arg.mode.is_input()) {
            let info = this.fit_type(arg.type_oid, this.label.nargs)?;
            this.args.push((arg.name, info));
            this.label.nargs += 1;
        }
        Ok(this)
    }

    /// The message gives `nargs` for the number of arguments.
    fn fit_type(&mut self, oid: Oid, nargs: usize) -> Result<Rc<TypeInfo>, Error> {
        let info = type_cache::type_info(oid)?;
        check_type(&self.label_with(nargs), &info)?;
        self.depends_on.add_type(&info);
        Ok(info)
    }

    /// What a call returns.
    pub(crate) fn result_type(&mut self, oid: Oid) -> Result<ResultType, Error> {
        if self.result_type == pg_sys::VOIDOID {
            return Ok(ResultType::Void);
        }
        if self.is_dynamic() {
            return Ok(ResultType::Record);
        }
        let declared = type_cache::type_info(self.result_type)?;
        self.depends_on.add_type(&declared);
        if let Some(relation) = type_cache::base_type(self.result_type)?.relation {
            self.depends_on.rows.push(Dependency::table(relation));
        }
        Ok(match CallResult::of_function(oid)? {
            CallResult::Scalar(type_oid) => ResultType::Scalar(self.fit_type(type_oid, NO_ARGS)?),
            CallResult::Row(row_type, domain) => {
                for column in &row_type.columns {
                    self.fit_type(column.type_oid, NO_ARGS)?;
                }
                ResultType::Row(Rc::new(row_type), domain)
            }
            CallResult::Unknown => {
                return Err(self.label_with(NO_ARGS).error("unsupported type"));
            }
        })
    }

    fn label_with(&self, nargs: usize) -> FunctionLabel {
        FunctionLabel {
            nargs,
            ..self.label.clone()
        }
    }

    /// Whether the columns come with each call.
    fn is_dynamic(&self) -> bool {
        self.result_type == pg_sys::RECORDOID && !self.names_outputs && !self.is_procedure()
    }

    pub(crate) fn is_procedure(&self) -> bool {
        self.procedure.is_some()
    }

    /// How long the body is.
    pub(crate) fn size(&self) -> usize {
        self.source.len()
    }

    /// Compiles the body for a given result.
    pub(crate) fn parse(&self, returns: Returns) -> Result<Program, Error> {
        let _room = allocator::hold(room_of(&self.source))?;
        let signature = Signature {
            schema: self.schema.clone(),
            name: self.name.clone(),
            args: self
                .args
                .iter()
                .map(|(name, info)| {
                    Ok(Argument {
                        name: name.clone(),
                        ty: info.to_name()?,
                    })
                })
                .collect::<Result<_, Error>>()?,
            returns,
            is_set: self.is_set,
            procedure: self.procedure.clone(),
        };
        compile(&self.source, &signature).map_err(|error| {
            let mut report = Report::internal(error.render(&self.label.name, self.label.nargs));
            report.detail = error.detail;
            report.into()
        })
    }

    /// The arguments, those that SPLIT cuts with their element's type.
    pub(crate) fn args(&self, program: &Program) -> Result<Vec<ProxyArg>, Error> {
        self.args
            .iter()
            .enumerate()
            .map(|(number, (_, info))| {
                let element = info.element.filter(|_| program.split.contains(&number));
                Ok(ProxyArg {
                    type_info: Rc::clone(info),
                    split_element: element.map(type_cache::type_info).transpose()?,
                })
            })
            .collect()
    }

    /// What `CREATE FUNCTION` checks: everything but the result type.
    pub(crate) fn validate(oid: Oid) -> Result<(), Error> {
        if !settings::check_function_bodies() {
            return Ok(());
        }
        let this = Self::find(oid)?;
        let returns = match CallResult::of_function(oid)? {
            _ if this.is_dynamic() => Returns::Record,
            // Which columns does not matter here, only that the call need not bring them.
            CallResult::Row(..) => Returns::Row(Vec::new()),
            _ => Returns::Void,
        };
        this.parse(returns).map(drop)
    }
}

/// What a body may take while it is compiled: its text some times over, and a value for each of its words and of the gaps
/// between them.
fn room_of(body: &str) -> usize {
    const COPIES: usize = 8;
    const WORD: usize = 128;
    let is_word = |byte: &u8| byte.is_ascii_alphanumeric() || *byte == b'_' || !byte.is_ascii();
    let bytes = body.as_bytes();
    let both = bytes.iter().zip(bytes.iter().skip(1));
    let words = both.filter(|(a, b)| is_word(a) != is_word(b)).count();
    let text = bytes.len().saturating_mul(COPIES);
    text.saturating_add(words.saturating_mul(WORD))
}

/// Refuses a type that values of a proxy function cannot have: of the pseudo-types there is only `void`, whose value is an empty text.
pub(super) fn check_type(label: &FunctionLabel, info: &TypeInfo) -> Result<(), Error> {
    if info.class != TypeClass::Pseudo || info.oid == pg_sys::VOIDOID {
        return Ok(());
    }
    Err(label.error(format_args!(
        "unsupported pseudo type: {} ({})",
        quote_ident(&info.name),
        info.oid.to_u32()
    )))
}
