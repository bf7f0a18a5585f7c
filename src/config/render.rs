// SPDX-License-Identifier: GPL-3.0-or-later
//! Problems in the form that compilers use: what, where, the line itself with a mark, what to write instead.

use super::{Place, Problem, Problems, See, Severity};
use crate::mail::Escaped;
use annotate_snippets::{Annotation, AnnotationKind, Group, Level, Renderer, Snippet};

impl Problems {
    /// All problems as text, a blank line between two. `colour` adds terminal colours.
    pub fn render(&self, colour: bool) -> String {
        let renderer = if colour { Renderer::styled() } else { Renderer::plain() };
        let mut text = String::new();
        for problem in self {
            text.push_str(&renderer.render(&[problem.group()]));
            text.push_str("\n\n");
        }
        text
    }
}

impl Problem {
    fn group(&self) -> Group<'_> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Warning => Level::WARNING,
            Severity::Note => Level::NOTE,
        };
        let mut group = Group::with_title(level.primary_title(&self.message));
        if let Some(place) = &self.place {
            group = group.element(place.snippet(AnnotationKind::Primary.span(place.start..place.end)));
        }
        if let Some(See { why, place }) = &self.see {
            let mark = AnnotationKind::Context.span(place.start..place.end).label(why);
            group = group.element(place.snippet(mark));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(help));
        }
        group
    }
}

impl Place {
    fn snippet<'a>(&'a self, mark: Annotation<'a>) -> Snippet<'a, Annotation<'a>> {
        let path = Escaped(self.file.as_os_str().as_encoded_bytes()).to_string();
        Snippet::source(&*self.text).line_start(self.line).path(path).annotation(mark)
    }
}
