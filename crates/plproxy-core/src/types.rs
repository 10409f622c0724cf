//! The built-in types: how their values cross the wire, which can be hashed, and what their text depends on.
//!
//! One table over the types that postgres-types knows, which has them from `pg_type.dat`. Arrays, ranges and multiranges follow
//! from what they are made of. A built-in type has the same OID on every server; all others are unknown here.

use crate::object_names::names_objects;
use postgres_types::{Kind, Type};

/// Of PostgreSQL 19; postgres-types does not know them.
const OID8: u32 = 6437;
const OID8_ARRAY: u32 = 6442;

/// How values of a type behave in PostgreSQL's binary format.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BinaryForm {
    /// Not to be used: it means something else on another server (an OID), does not carry every value (an empty
    /// `int2vector`), carries more (the encoding of `xml`), or is not there at all (`aclitem`).
    No,
    /// The text itself.
    SameAsText,
    /// The same value in every supported version, whatever the settings.
    Exact,
    /// Exact, but with text inside, which the send and receive functions convert to and from the session's client encoding.
    HoldsText,
}

/// Settings of the writing server on which the text of a value depends.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct TextDependence {
    /// `extra_float_digits`: below 1 digits are lost.
    pub digits: bool,
    /// `DateStyle` or `IntervalStyle`: the reader must have the same, or another day is read.
    pub style: bool,
    /// `TimeZone`, by `DateStyle`: in other styles than ISO an abbreviation stands for the zone.
    pub zone: bool,
    /// `search_path`: names of what it finds are without their schema.
    pub names: bool,
}

impl TextDependence {
    /// On no setting.
    pub const NONE: Self = Self {
        digits: false,
        style: false,
        zone: false,
        names: false,
    };
    const DIGITS: Self = Self {
        digits: true,
        ..Self::NONE
    };
    const STYLE: Self = Self {
        style: true,
        ..Self::NONE
    };
    const ZONE: Self = Self {
        style: true,
        zone: true,
        ..Self::NONE
    };
    const NAMES: Self = Self {
        names: true,
        ..Self::NONE
    };
}

/// What is known of a built-in type.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BuiltInType {
    /// Its binary format.
    pub binary: BinaryForm,
    /// Whether its values can be hashed to a partition: their bytes are the same on every server. Integers are their own hash.
    pub hashable: bool,
    /// What its text depends on.
    pub text: TextDependence,
}

impl BuiltInType {
    const fn new(binary: BinaryForm) -> Self {
        Self {
            binary,
            hashable: false,
            text: TextDependence::NONE,
        }
    }

    const fn hashable(self) -> Self {
        Self {
            hashable: true,
            ..self
        }
    }

    const fn with_text(self, text: TextDependence) -> Self {
        Self { text, ..self }
    }

    /// The built-in type of that OID; `None` for a type of the database's own.
    pub fn of(oid: u32) -> Option<Self> {
        match oid {
            OID8 | OID8_ARRAY => Some(Self::new(BinaryForm::Exact)),
            _ => Type::from_oid(oid).map(|ty| Self::of_type(&ty)),
        }
    }

    fn of_type(ty: &Type) -> Self {
        use BinaryForm::{Exact, HoldsText, No, SameAsText};
        match *ty {
            Type::TEXT
            | Type::VARCHAR
            | Type::BPCHAR
            | Type::NAME
            // A literal whose type nobody has said.
            | Type::UNKNOWN => Self::new(SameAsText).hashable(),
            Type::JSON => Self::new(SameAsText),
            Type::BOOL
            | Type::INT2
            | Type::INT4
            | Type::INT8
            | Type::BYTEA
            | Type::UUID
            | Type::TIME
            | Type::INET
            | Type::CIDR
            | Type::MACADDR => Self::new(Exact).hashable(),
            Type::DATE | Type::TIMESTAMP => Self::new(Exact)
                .hashable()
                .with_text(TextDependence::STYLE),
            Type::TIMESTAMPTZ => Self::new(Exact).hashable().with_text(TextDependence::ZONE),
            Type::INTERVAL => Self::new(Exact).with_text(TextDependence::STYLE),
            Type::FLOAT4
            | Type::FLOAT8
            | Type::POINT
            | Type::LSEG
            | Type::PATH
            | Type::BOX
            | Type::POLYGON
            | Type::LINE
            | Type::CIRCLE => Self::new(Exact).with_text(TextDependence::DIGITS),
            Type::OID
            | Type::XID
            | Type::XID8
            | Type::CID
            | Type::TID
            | Type::NUMERIC
            | Type::MONEY
            | Type::CHAR
            | Type::TIMETZ
            | Type::MACADDR8
            | Type::BIT
            | Type::VARBIT
            | Type::PG_LSN
            | Type::VOID => Self::new(Exact),
            Type::JSONB | Type::TS_VECTOR | Type::TSQUERY => Self::new(HoldsText),
            // Vectors are no arrays to their own functions: an empty one is refused by the function that receives it.
            Type::INT2_VECTOR | Type::OID_VECTOR => Self::new(No),
            _ => match ty.kind() {
                Kind::Array(part) | Kind::Range(part) | Kind::Multirange(part) => {
                    Self::made_of(Self::of_type(part))
                }
                _ if names_objects(ty) => Self::new(No).with_text(TextDependence::NAMES),
                _ => Self::new(No),
            },
        }
    }

    /// An array, a range or a multirange.
    fn made_of(part: Self) -> Self {
        Self {
            binary: match part.binary {
                BinaryForm::SameAsText => BinaryForm::HoldsText,
                other => other,
            },
            hashable: false,
            text: part.text,
        }
    }
}

#[cfg(test)]
mod tests;
