//! Full names of objects of the catalogs, for values of types such as `regclass`.

use super::raw;
use core::ffi::c_char;
use core::ptr;
use pgrx::pg_sys::Oid;
use plproxy_core::object_names::ObjectType;

/// Types whose values are written here; of the others the output function writes full names, if it is only that no schema but
/// `pg_catalog` is searched. These may also be objects of `pg_catalog`, which another server's `search_path` may hide, or of the
/// session's temporary schema, which is always searched.
pub(super) fn are_written_here(object: ObjectType) -> bool {
    use ObjectType as O;
    matches!(
        object,
        O::Relation | O::Function | O::Procedure | O::Operator | O::Type
    )
}

/// The object's name with its schema, in the current memory context; null where there is no such object, or its names are
/// not written here.
///
/// # Safety
/// Raises, as all that reads the catalogs.
pub(super) unsafe fn full_name(object: ObjectType, oid: Oid) -> *const c_char {
    // SAFETY: reads the catalogs; each name is null or a C string in the current memory context.
    unsafe {
        match object {
            ObjectType::Relation => {
                let name = raw::get_rel_name(oid);
                if name.is_null() {
                    return ptr::null();
                }
                qualified(raw::get_rel_namespace(oid), name)
            }
            ObjectType::Function => {
                let name = raw::get_func_name(oid);
                if name.is_null() {
                    return ptr::null();
                }
                qualified(raw::get_func_namespace(oid), name)
            }
            ObjectType::Procedure if !raw::get_func_name(oid).is_null() => {
                raw::format_procedure_qualified(oid)
            }
            ObjectType::Operator if !raw::get_opname(oid).is_null() => {
                raw::format_operator_qualified(oid)
            }
            ObjectType::Type if raw::get_typisdefined(oid) => raw::format_type_be_qualified(oid),
            _ => ptr::null(),
        }
    }
}

/// # Safety
/// `name` must be a C string. Raises.
unsafe fn qualified(schema: Oid, name: *const c_char) -> *const c_char {
    // SAFETY: as promised; a schema that has gone has no name, and the session's temporary one is `pg_temp`.
    unsafe {
        let schema = raw::get_namespace_name_or_temp(schema);
        if schema.is_null() {
            return ptr::null();
        }
        raw::quote_qualified_identifier(schema, name)
    }
}
