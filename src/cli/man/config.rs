// SPDX-License-Identifier: GPL-3.0-or-later
//! The page postern.toml(5), made from the configuration's schema: every table, every key, its default.

use clap_mangen::roff::{Roff, bold, roman};
use serde_json::{Map, Value};
use std::collections::{HashMap, VecDeque};

/// Writes the sections between NAME and SEE ALSO.
pub(super) fn write(schema: &Value, roff: &mut Roff) {
    let mut page = Page { schema, described: HashMap::new(), tables: VecDeque::new() };
    roff.control("SH", ["DESCRIPTION"]);
    page.keys(schema, "", roff);
    while let Some((header, description, table)) = page.tables.pop_front() {
        roff.control("SH", [format!("[{header}]").as_str()]);
        roff.text([roman(plain(description))]);
        page.table(table, &header, roff);
    }
}

struct Page<'a> {
    schema: &'a Value,
    /// Definitions that were written already, by their address, and under which header.
    described: HashMap<*const Value, String>,
    /// Tables that are still to be written: header, description, schema.
    tables: VecDeque<(String, &'a Value, &'a Value)>,
}

impl<'a> Page<'a> {
    fn table(&mut self, table: &'a Value, header: &str, roff: &mut Roff) {
        if let Some(elsewhere) = self.described.get(&std::ptr::from_ref(table)) {
            roff.control("PP", []).text([roman(format!("The keys are those of [{elsewhere}]."))]);
            return;
        }
        self.described.insert(table, header.to_owned());
        self.keys(table, header, roff);
    }

    /// The keys of a table; the tables in it are put off.
    fn keys(&mut self, table: &'a Value, header: &str, roff: &mut Roff) {
        // The first sentence says what the table is, which its name and the key that leads to it have said.
        let description = plain(&table["description"]);
        let said = if header.is_empty() { Some(description.as_str()) } else { rest(&description) };
        if let Some(text) = said {
            roff.control("PP", []).text([roman(text)]);
        }
        let Some(properties) = table["properties"].as_object() else { return };
        if let Some(common) = self.common(properties) {
            // Tables that are all alike: one of them stands for all.
            for (name, property) in properties {
                roff.control("TP", []).text([bold(name.clone())]);
                roff.text([roman(plain(&property["description"]))]);
            }
            self.keys(common, header, roff);
            return;
        }
        let required = |name: &str| {
            table["required"].as_array().is_some_and(|names| names.iter().any(|required| required == name))
        };
        for (name, property) in properties {
            let target = self.resolve(property);
            let path = if header.is_empty() { name.clone() } else { format!("{header}.{name}") };
            if let Some(named) = target.get("additionalProperties").filter(|named| named.is_object()) {
                self.tables.push_back((
                    format!("{path}.NAME"),
                    &property["description"],
                    self.resolve(named),
                ));
            } else if target["properties"].is_object() {
                let alike = target["properties"].as_object().and_then(|inner| self.common(inner)).is_some();
                let header = if alike { format!("{path}.REASON") } else { path };
                self.tables.push_back((header, &property["description"], target));
            } else {
                self.key(name, property, target, header, roff);
                if let Some(table) = self.within(target) {
                    self.tables.push_back((path, &property["description"], table));
                }
                let default = property.get("default").filter(|default| !default.is_null());
                if let Some(default) = default {
                    roff.control("IP", []).text([roman(format!("Default: {default}"))]);
                } else if required(name) {
                    roff.control("IP", []).text([roman("It has to be there.")]);
                }
            }
        }
    }

    fn key(&mut self, name: &str, property: &'a Value, target: &'a Value, header: &str, roff: &mut Roff) {
        roff.control("TP", []).text([bold(name)]).text([roman(plain(&property["description"]))]);
        let Some(words) = target["oneOf"].as_array() else { return };
        if let Some(elsewhere) = self.described.get(&std::ptr::from_ref(target)) {
            roff.control("IP", []).text([roman(format!("The words are those of {elsewhere}."))]);
            return;
        }
        self.described.insert(target, format!("{name} in [{header}]"));
        roff.control("RS", []);
        for word in words {
            roff.control("TP", []).text([bold(plain(&word["const"]))]);
            roff.text([roman(plain(&word["description"]))]);
        }
        roff.control("RE", []);
    }

    /// What a property refers to, or itself.
    fn resolve(&self, property: &'a Value) -> &'a Value {
        let reference = property.get("$ref").or_else(|| property.get("allOf")?.get(0)?.get("$ref"));
        let target = reference
            .and_then(Value::as_str)
            .and_then(|text| self.schema.pointer(text.strip_prefix('#').unwrap_or(text)));
        target.unwrap_or(property)
    }

    /// The table that a key may be written as: one of several forms, or an element of a list.
    fn within(&self, target: &'a Value) -> Option<&'a Value> {
        let several = ["anyOf", "allOf"].into_iter().filter_map(|of| target[of].as_array()).flatten();
        let forms = several.chain(target.get("items"));
        forms
            .map(|form| self.resolve(form))
            .find_map(|form| if form["properties"].is_object() { Some(form) } else { self.within(form) })
    }

    /// The one definition that all of several properties refer to.
    fn common(&self, properties: &'a Map<String, Value>) -> Option<&'a Value> {
        let mut targets = properties.values().map(|property| self.resolve(property));
        let first = targets.next().filter(|target| target["properties"].is_object())?;
        (properties.len() > 1 && targets.all(|target| std::ptr::eq(target, first))).then_some(first)
    }
}

/// What follows the first sentence.
fn rest(text: &str) -> Option<&str> {
    text.split_once(". ").map(|(_, rest)| rest)
}

/// A text without the marks of Markdown.
fn plain(text: &Value) -> String {
    text.as_str().unwrap_or_default().replace('`', "'")
}
