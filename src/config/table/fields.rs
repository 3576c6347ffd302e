//! What one setting is: its kind, its documentation and its rules, as data.
//!
//! The table is built by [`settings!`](crate::config::table::fields) from the same lines that make the
//! typed structs of `schema`, so that a default, a word of documentation or a permission stands in
//! one place only. Knows no file, no layer and no meaning.

use std::collections::BTreeMap;
use std::path::PathBuf;

use serde_json::Value;

/// The shape of a value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Kind {
    Boolean,
    /// A whole number from 0 to `max`.
    Integer {
        max: u64,
    },
    Number,
    Text,
    Path,
    /// A length of time such as `90s`.
    Span,
    /// Bytes, such as `512MiB`.
    Size,
    Choice(&'static [&'static str]),
    /// `{"env": …}`, `{"file": …}` or `{"command": […]}`; `plain`: text will do as well (headers).
    Secret {
        plain: bool,
    },
    List(&'static Self),
    /// Names that the person chooses.
    Map(&'static Self),
    Object(&'static [Field]),
}

/// Which of two values allows less. What has an order can be narrowed by a project that nobody
/// trusts yet, and clamped by an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Order {
    /// Neither: an untrusted project cannot set it, an organisation's value replaces any other.
    None,
    /// The lower number or shorter time; absent means without limit.
    Lower,
    /// These words, the narrowest first.
    Words(&'static [&'static str]),
    True,
    False,
    /// Fewer entries allow less.
    Fewer(Cover),
    /// More entries allow less (prohibitions).
    More,
}

/// When an entry of a list is allowed by another one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cover {
    /// The same text.
    Same,
    /// `all`, `*.example.org`, or the same host.
    Host,
    /// The same directory or one below it.
    Directory,
    /// `tool` covers `tool(pattern)`.
    Rule,
}

/// How a value is judged beyond its kind. Built with the `const` methods below.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Rules {
    /// It grants or limits power: a mistyped name here is an error, not a warning.
    pub power: bool,
    pub order: Order,
    /// Lists of all layers are put together instead of the highest replacing the others.
    pub union: bool,
    pub min: f64,
    pub max: f64,
}

impl Rules {
    pub const PLAIN: Self = Self {
        power: false,
        order: Order::None,
        union: false,
        min: f64::NEG_INFINITY,
        max: f64::INFINITY,
    };

    /// Grants or limits power.
    pub const POWER: Self = Self { power: true, ..Self::PLAIN };

    #[must_use]
    pub const fn narrows(self, order: Order) -> Self {
        Self { order, ..self }
    }

    #[must_use]
    pub const fn union(self) -> Self {
        Self { union: true, ..self }
    }

    #[must_use]
    pub const fn at_least(self, min: f64) -> Self {
        Self { min, ..self }
    }

    #[must_use]
    pub const fn at_most(self, max: f64) -> Self {
        Self { max, ..self }
    }
}

/// One setting, or a group of them.
#[derive(Debug, Clone, Copy)]
pub struct Field {
    /// The last part of its key.
    pub name: &'static str,
    /// As written in `schema`; [`Field::doc`] trims it.
    pub(super) doc: &'static str,
    pub kind: Kind,
    pub rules: Rules,
    /// See [`Field::built_in`].
    pub(in crate::config) default: fn() -> Value,
}

impl PartialEq for Field {
    /// Defaults are functions, which have no equality; they follow from the rest.
    fn eq(&self, other: &Self) -> bool {
        (self.name, self.kind, self.rules) == (other.name, other.kind, other.rules)
    }
}

impl Field {
    pub const fn new(name: &'static str, doc: &'static str, kind: Kind, rules: Rules) -> Self {
        Self { name, doc, kind, rules, default: || Value::Null }
    }

    #[must_use]
    pub(in crate::config) const fn with_default(self, default: fn() -> Value) -> Self {
        Self { default, ..self }
    }

    /// The value that is built in, as a file would have it; null where there is none.
    pub(in crate::config) fn built_in(&self) -> Value {
        (self.default)()
    }

    /// What it is for, in one line of Markdown.
    pub fn doc(&self) -> &'static str {
        self.doc.trim()
    }

    /// Values are shown as `***`.
    pub fn is_secret(&self) -> bool {
        self.kind.is_secret()
    }
}

impl Kind {
    pub(super) fn is_secret(&self) -> bool {
        match self {
            Self::Secret { .. } => true,
            Self::List(inner) | Self::Map(inner) => inner.is_secret(),
            _ => false,
        }
    }

    /// In words, after "must be".
    pub fn words(&self) -> String {
        match self {
            Self::Boolean => "true or false".into(),
            Self::Integer { .. } => "a whole number".into(),
            Self::Number => "a number".into(),
            Self::Text => "text".into(),
            Self::Path => "a path".into(),
            Self::Span => "a length of time such as `90s`, `5m` or `1h`".into(),
            Self::Size => "a size such as `512MiB`, `2GiB` or `10GB`".into(),
            Self::Choice(words) => {
                let quoted: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                match quoted.split_last() {
                    Some((last, rest)) if !rest.is_empty() => {
                        format!("{} or {last}", rest.join(", "))
                    }
                    _ => quoted.concat(),
                }
            }
            Self::Secret { plain: false } => {
                "a secret: `{\"env\": …}`, `{\"file\": …}` or `{\"command\": […]}`".into()
            }
            Self::Secret { plain: true } => "text or a secret such as `{\"env\": …}`".into(),
            Self::List(inner) => match inner {
                Self::Text => "a list of texts".into(),
                Self::Path => "a list of paths".into(),
                inner => format!("a list, each entry {}", inner.words()),
            },
            Self::Map(inner) => format!("an object, each value {}", inner.words()),
            Self::Object(_) => "an object".into(),
        }
    }
}

/// A Rust type that a setting can have.
pub trait Shape {
    const KIND: Kind;
}

macro_rules! shapes {
    ($($type:ty => $kind:expr;)*) => { $(impl Shape for $type { const KIND: Kind = $kind; })* };
}

shapes! {
    bool => Kind::Boolean;
    u32 => Kind::Integer { max: u32::MAX as u64 };
    u64 => Kind::Integer { max: u64::MAX };
    f64 => Kind::Number;
    String => Kind::Text;
    PathBuf => Kind::Path;
}

impl<T: Shape> Shape for Option<T> {
    const KIND: Kind = T::KIND;
}

impl<T: Shape> Shape for Vec<T> {
    const KIND: Kind = Kind::List(&T::KIND);
}

impl<T: Shape> Shape for BTreeMap<String, T> {
    const KIND: Kind = Kind::Map(&T::KIND);
}

/// Makes a typed struct of settings and its table of fields from one set of lines:
/// `/// doc`, `name: type = default => rules;`.
macro_rules! settings {
    (
        $(#[doc = $doc:literal])+
        $(#[derive($extra:ident)])?
        pub struct $name:ident {
            $($(#[doc = $field_doc:literal])+ $field:ident: $type:ty = $default:expr => $rules:expr;)*
        }
    ) => {
        $(#[doc = $doc])+
        #[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize, schemars::JsonSchema)]
        $(#[derive($extra)])?
        #[serde(default, deny_unknown_fields)]
        pub struct $name {
            $($(#[doc = $field_doc])+ pub $field: $type,)*
        }

        impl Default for $name {
            fn default() -> Self {
                Self { $($field: $default,)* }
            }
        }

        impl $name {
            /// Its settings, in the order of the documentation.
            pub const FIELDS: &[$crate::config::table::fields::Field] = &[$(
                $crate::config::table::fields::Field::new(
                    stringify!($field),
                    concat!($($field_doc),+),
                    <$type as $crate::config::table::fields::Shape>::KIND,
                    $rules,
                )
                .with_default(|| serde_json::to_value::<$type>($default).unwrap_or_default()),
            )*];
        }

        impl $crate::config::table::fields::Shape for $name {
            const KIND: $crate::config::table::fields::Kind =
                $crate::config::table::fields::Kind::Object(Self::FIELDS);
        }
    };
}

pub(in crate::config) use settings;
