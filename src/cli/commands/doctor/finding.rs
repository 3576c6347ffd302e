//! What a check says: a grade, what was found, and what mends it.

use serde::Serialize;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Grade {
    Ok,
    /// Works, but less than it could.
    Note,
    /// Something that people rely on will fail.
    Problem,
}

/// One line of the report.
#[derive(Debug, PartialEq, Eq, Serialize)]
pub(super) struct Finding {
    /// The check's name: stable, for scripts.
    pub(super) check: &'static str,
    pub(super) grade: Grade,
    pub(super) detail: String,
    /// The command that mends it, or where to read on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) remedy: Option<String>,
}

impl Finding {
    pub(super) fn ok(check: &'static str, detail: impl Into<String>) -> Self {
        Self { check, grade: Grade::Ok, detail: detail.into(), remedy: None }
    }

    pub(super) fn note(
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        let remedy = Some(remedy.into());
        Self { check, grade: Grade::Note, detail: detail.into(), remedy }
    }

    pub(super) fn problem(
        check: &'static str,
        detail: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self { grade: Grade::Problem, ..Self::note(check, detail, remedy) }
    }
}
