//! Fields of arguments in local queries: `argument.field`, where that is nothing else.
//!
//! PostgreSQL's own analysis decides: it asks a hook about each dotted identifier that is no column of a table in the query,
//! as it does for functions in SQL, which understand their arguments in the same way. The text is then written anew with
//! `$n` in the place of the argument, so that from there on it is a query like any other.

use super::error::Error;
use super::expr::describe_errors;
use super::{compat, encoding, guard, raw};
use core::ffi::{CStr, c_char};
use core::mem::size_of;
use core::ptr;
use pgrx::pg_sys::{
    self, A_Indirection, ColumnRef, ErrorContextCallback, Expr, List, Node, NodeTag, Oid, Param,
    ParamKind, ParamRef, ParseState,
};

/// What the hooks look at.
struct State {
    /// The types of the parameters.
    types: *const Oid,
    count: usize,
    /// Names of parameters, and for each which one it is, from 0.
    names: *const (*const c_char, usize),
    names_count: usize,
    /// Where fields were found: an offset in the text, and the parameter, by turns.
    found: *mut List,
}

/// The query with `$n` for each name of a parameter before a field. `rows` are the names, each with its parameter, counted
/// from 0; `types` are those of the parameters.
pub(super) fn resolve(sql: &str, types: &[Oid], rows: &[(String, usize)]) -> Result<String, Error> {
    let text = encoding::cstring(sql)?.cast_const();
    let names = rows
        .iter()
        .map(|(name, param)| Ok((encoding::cstring(name)?.cast_const(), *param)))
        .collect::<Result<Vec<_>, Error>>()?;
    let mut state = State {
        types: types.as_ptr(),
        count: types.len(),
        names: names.as_ptr(),
        names_count: names.len(),
        found: ptr::null_mut(),
    };
    let pointer = &raw mut state;
    // SAFETY: the text is a C string; the state and what it points to outlive the analysis. The closure owns nothing.
    unsafe {
        guard::catch(|| {
            let mut errors = ErrorContextCallback::default();
            describe_errors(&raw mut errors, text);
            let mode = pg_sys::RawParseMode::RAW_PARSE_DEFAULT as i32;
            let statements = raw::raw_parser(text, mode);
            for i in 0..length(statements) {
                let parse = raw::make_parsestate(ptr::null_mut());
                (*parse).p_sourcetext = text;
                (*parse).p_paramref_hook = Some(parameter);
                (*parse).p_post_columnref_hook = Some(field);
                (*parse).p_ref_hook_state = pointer.cast();
                raw::transformTopLevelStmt(parse, member(statements, i).cast());
                raw::free_parsestate(parse);
            }
        })
    }?;
    // SAFETY: the list is of integers, in the current memory context.
    let found = unsafe { integers(state.found) };
    // SAFETY: as above.
    let text = unsafe { CStr::from_ptr(text) }.to_bytes();
    encoding::to_string(&rewritten(text, found))
}

/// The text with the names at these places replaced.
fn rewritten(text: &[u8], mut found: Vec<(usize, usize)>) -> Vec<u8> {
    found.sort_unstable();
    // What is analysed twice is found twice.
    found.dedup();
    let mut new = Vec::with_capacity(text.len());
    let mut rest = 0;
    for (at, param) in found {
        new.extend_from_slice(text.get(rest..at).unwrap_or_default());
        new.extend_from_slice(format!("${}", param + 1).as_bytes());
        rest = at + name_length(text.get(at..).unwrap_or_default());
    }
    new.extend_from_slice(text.get(rest..).unwrap_or_default());
    new
}

/// The length of the identifier at the beginning of a text.
fn name_length(text: &[u8]) -> usize {
    let quote = match text {
        [b'"', ..] => 0,
        [b'u' | b'U', b'&', b'"', ..] => 2,
        _ => {
            let is_word = |b: &&u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'$' | 0x80..);
            return text.iter().take_while(is_word).count();
        }
    };
    let mut end = quote + 1;
    loop {
        match (text.get(end), text.get(end + 1)) {
            (Some(b'"'), Some(b'"')) => end += 2,
            (Some(b'"'), _) => return end + 1,
            (Some(_), _) => end += 1,
            (None, _) => return text.len(),
        }
    }
}

/// PostgreSQL asks what `$n` is.
unsafe extern "C-unwind" fn parameter(parse: *mut ParseState, asked: *mut ParamRef) -> *mut Node {
    // SAFETY: called during the analysis, with the state that it was given. The frame owns nothing.
    unsafe {
        let state: *const State = (*parse).p_ref_hook_state.cast_const().cast();
        let number = usize::try_from((*asked).number).unwrap_or(0);
        if number == 0 || number > (*state).count {
            return ptr::null_mut();
        }
        let paramtype = *(*state).types.add(number - 1);
        node(Param {
            xpr: Expr {
                type_: NodeTag::T_Param,
            },
            paramkind: ParamKind::PARAM_EXTERN,
            paramid: (*asked).number,
            paramtype,
            paramtypmod: -1,
            paramcollid: raw::get_typcollation(paramtype),
            location: (*asked).location,
        })
    }
}

/// PostgreSQL asks what a dotted identifier is if it is no column; `column` is that column.
unsafe extern "C-unwind" fn field(
    parse: *mut ParseState,
    asked: *mut ColumnRef,
    column: *mut Node,
) -> *mut Node {
    // SAFETY: as in `parameter`; the first part of an identifier is a name, the last one may be a star.
    unsafe {
        let state: *mut State = (*parse).p_ref_hook_state.cast();
        let (fields, location) = ((*asked).fields, (*asked).location);
        let parts = length(fields);
        if !column.is_null() || parts < 2 {
            return ptr::null_mut();
        }
        let first: *mut Node = member(fields, 0).cast();
        let Some(param) = parameter_of(state, compat::string_value(first)) else {
            return ptr::null_mut();
        };
        if !raw::type_is_rowtype(*(*state).types.add(param)) {
            return ptr::null_mut();
        }
        let found = raw::lappend_int((*state).found, location);
        (*state).found = raw::lappend_int(found, param as i32);
        let whole: *mut Node = node(ParamRef {
            type_: NodeTag::T_ParamRef,
            number: param as i32 + 1,
            location,
        });
        // Whoever asked about a star makes fields of the whole.
        let last: *mut Node = member(fields, parts - 1).cast();
        let rest = raw::list_copy_tail(fields, 1);
        let indirection = if (*last).type_ == NodeTag::T_A_Star {
            raw::list_truncate(rest, length(rest) as i32 - 1)
        } else {
            rest
        };
        let meant = if length(indirection) == 0 {
            whole
        } else {
            node(A_Indirection {
                type_: NodeTag::T_A_Indirection,
                arg: whole,
                indirection,
            })
        };
        let kind = match (*parse).p_expr_kind {
            // Where a star stands in a list of results.
            pg_sys::ParseExprKind::EXPR_KIND_NONE => pg_sys::ParseExprKind::EXPR_KIND_SELECT_TARGET,
            kind => kind,
        };
        raw::transformExpr(parse, meant, kind)
    }
}

/// The parameter of a name: of exactly this name, or else without regard to case.
///
/// # Safety
/// Both must be live, and the name a C string.
unsafe fn parameter_of(state: *const State, name: *const c_char) -> Option<usize> {
    // SAFETY: as promised; the names are C strings, too.
    unsafe {
        let name = CStr::from_ptr(name).to_bytes();
        let names = core::slice::from_raw_parts((*state).names, (*state).names_count);
        let bytes = |known: &&(*const c_char, usize)| CStr::from_ptr(known.0).to_bytes();
        let exact = names.iter().find(|known| bytes(known) == name);
        let found = exact.or_else(|| {
            names
                .iter()
                .find(|known| bytes(known).eq_ignore_ascii_case(name))
        });
        found
            .map(|known| known.1)
            .filter(|param| *param < (*state).count)
    }
}

/// A node in the current memory context.
///
/// # Safety
/// `T` must be a node that holds all its fields; raises when out of memory, so no frame may own anything.
unsafe fn node<T>(value: T) -> *mut Node {
    // SAFETY: the memory is of that size, and aligned for anything.
    unsafe {
        let place: *mut T =
            raw::MemoryContextAlloc(pg_sys::CurrentMemoryContext, size_of::<T>()).cast();
        place.write(value);
        place.cast()
    }
}

/// # Safety
/// A live list, or null, which is the empty one.
unsafe fn length(list: *mut List) -> usize {
    if list.is_null() {
        return 0;
    }
    // SAFETY: as promised.
    usize::try_from(unsafe { (*list).length }).unwrap_or(0)
}

/// # Safety
/// A live list of pointers that has such a member.
unsafe fn member(list: *mut List, at: usize) -> *mut core::ffi::c_void {
    // SAFETY: as promised.
    unsafe { (*(*list).elements.add(at)).ptr_value }
}

/// # Safety
/// A live list of integers, or null.
unsafe fn integers(list: *mut List) -> Vec<(usize, usize)> {
    // SAFETY: as promised.
    let number = |at: usize| usize::try_from(unsafe { (*(*list).elements.add(at)).int_value });
    // SAFETY: as promised.
    let length = unsafe { length(list) };
    (0..length / 2)
        .filter_map(|i| Some((number(2 * i).ok()?, number(2 * i + 1).ok()?)))
        .collect()
}
