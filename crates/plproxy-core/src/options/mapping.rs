//! The options of user mappings.

use super::error::{OptionError, Options};

/// An option of user mappings.
const PASSWORD_REQUIRED: &str = "password_required";

/// Whether a user mapping leaves it at the rule that who is no superuser must log in with a password.
pub fn is_password_required(mapping: &Options) -> bool {
    let given = mapping.iter().find(|(key, _)| key == PASSWORD_REQUIRED);
    given.and_then(|(_, value)| boolean(value.as_deref()?)) != Some(false)
}

/// As PostgreSQL reads the options of its own wrapper.
fn boolean(value: &str) -> Option<bool> {
    let is = |names: [&str; 2]| names.iter().any(|name| name.eq_ignore_ascii_case(value));
    if is(["true", "on"]) {
        Some(true)
    } else if is(["false", "off"]) {
        Some(false)
    } else {
        None
    }
}

pub(super) fn validate_mapping(key: &str, value: Option<&str>) -> Result<(), OptionError> {
    let Some(given) = value else {
        return Err(OptionError::without_value(key));
    };
    if key == PASSWORD_REQUIRED {
        return match boolean(given) {
            Some(_) => Ok(()),
            None => Err(OptionError::syntax(
                format!("Pl/Proxy: {key} requires a Boolean value"),
                "valid values are \"true\" and \"false\"",
            )),
        };
    }
    if !["user", "password"]
        .iter()
        .any(|name| name.eq_ignore_ascii_case(key))
    {
        return Err(OptionError::syntax(
            "Pl/Proxy: invalid option to user mapping",
            "valid options are \"user\" and \"password\"",
        ));
    }
    Ok(())
}
