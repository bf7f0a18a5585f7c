// SPDX-License-Identifier: GPL-3.0-or-later
//! The tenant behind the peer: its objects and what has changed of them, its applications, and the answers to questions.

use jsonwebtoken::{Algorithm, DecodingKey, Validation, decode, decode_header};
use reqwest::Url;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

pub(crate) const TENANT: &str = "contoso.example";
pub(crate) const CLIENT_ID: &str = "11111111-2222-3333-4444-555555555555";
pub(crate) const SECRET: &str = "S3CRET~value";

/// An answer: a status with header lines, and a body.
pub(crate) struct Reply {
    pub(crate) status: String,
    pub(crate) body: String,
}

/// One object.
#[derive(Clone, Debug, Default)]
struct Object {
    /// What was ever set.
    properties: Map<String, Value>,
    /// When what was changed.
    changes: Vec<(u64, String)>,
    /// When and why it was removed.
    removed: Option<(u64, &'static str)>,
    /// Of a group: who came or went, and when.
    members: Vec<(u64, String, bool)>,
}

impl Object {
    fn changed(&self) -> u64 {
        let changes = self.changes.iter().map(|(when, _)| *when);
        let members = self.members.iter().map(|(when, ..)| *when);
        changes.chain(members).chain(self.removed.map(|(when, _)| when)).max().unwrap_or_default()
    }

    /// Who is in it, of those that changed after a time: `true` for those who came.
    fn members(&self, since: u64) -> BTreeMap<&str, bool> {
        let changes = self.members.iter().filter(|(when, ..)| *when > since);
        changes.map(|(_, member, came)| (member.as_str(), *came)).collect()
    }
}

/// A certificate that an application is known by.
pub(crate) struct Known {
    /// Its public key in PEM, and the SHA-256 of the certificate in base64url.
    pub(crate) key: Vec<u8>,
    pub(crate) thumbprint: String,
}

pub(crate) struct Tenant {
    url: String,
    clock: u64,
    objects: BTreeMap<&'static str, BTreeMap<String, Object>>,
    /// Pages that wait for their `$skiptoken`.
    pages: HashMap<String, Value>,
    /// What a `$deltatoken` goes on from: a resource, a time, properties.
    deltas: HashMap<String, (String, u64, Vec<String>)>,
    made: u64,
    tokens: HashSet<String>,
    assertions: HashSet<String>,
    pub(crate) certificate: Option<Known>,
    /// Objects to a page, and members of a group to a page.
    pub(crate) page_size: usize,
    pub(crate) member_page_size: usize,
    /// Whether only changed properties are told of, as `Prefer: return=minimal` has it.
    pub(crate) minimal: bool,
    /// Whether the first object of a round comes a second time at its end.
    pub(crate) repeats: bool,
    /// Resources that the application may not read.
    pub(crate) denied: Vec<&'static str>,
    /// How long tokens last, in seconds.
    pub(crate) token_lifetime: u64,
    /// Further header lines of good answers.
    pub(crate) headers: &'static str,
    /// Groups whose members are shown as they were at a time before, as a server that is behind has them.
    pub(crate) behind: Option<u64>,
}

impl Tenant {
    pub(crate) fn new(url: String) -> Self {
        let resources = ["users", "groups", "contacts"].map(|resource| (resource, BTreeMap::new()));
        Self {
            url,
            clock: 1,
            objects: resources.into(),
            pages: HashMap::new(),
            deltas: HashMap::new(),
            made: 0,
            tokens: HashSet::new(),
            assertions: HashSet::new(),
            certificate: None,
            page_size: 3,
            member_page_size: 2,
            minimal: false,
            repeats: false,
            denied: Vec::new(),
            token_lifetime: 3599,
            headers: "",
            behind: None,
        }
    }

    /// A time, for `behind`.
    pub(crate) fn now(&self) -> u64 {
        self.clock
    }

    /// Adds an object, or changes properties of one.
    pub(crate) fn set(&mut self, resource: &'static str, id: &str, properties: Value) {
        self.clock += 1;
        let Value::Object(properties) = properties else { panic!("{properties} are no properties") };
        let object = self.objects.get_mut(resource).unwrap().entry(id.to_owned()).or_default();
        object.removed = None;
        for (name, value) in properties {
            object.changes.push((self.clock, name.clone()));
            object.properties.insert(name, value);
        }
    }

    /// Removes an object; `changed` can be restored, `deleted` cannot.
    pub(crate) fn remove(&mut self, resource: &'static str, id: &str, reason: &'static str) {
        self.clock += 1;
        let object = self.objects.get_mut(resource).unwrap().get_mut(id).unwrap();
        object.removed = Some((self.clock, reason));
    }

    /// Puts somebody into a group, or takes him out.
    pub(crate) fn member(&mut self, group: &str, member: &str, comes: bool) {
        self.clock += 1;
        let group = self.objects.get_mut("groups").unwrap().get_mut(group).unwrap();
        group.members.push((self.clock, member.to_owned(), comes));
    }

    /// Forgets all links.
    pub(crate) fn forget_links(&mut self) {
        self.deltas.clear();
        self.pages.clear();
    }

    /// Ends all tokens.
    pub(crate) fn end_tokens(&mut self) {
        self.tokens.clear();
    }

    pub(crate) fn answer(
        &mut self,
        method: &str,
        target: &str,
        authorization: Option<&str>,
        body: &str,
    ) -> Reply {
        let url = Url::parse(&format!("{}{target}", self.url)).unwrap();
        if url.path() == format!("/{TENANT}/oauth2/v2.0/token") && method == "POST" {
            return self.token(body);
        }
        let token = authorization.and_then(|header| header.strip_prefix("Bearer ")).unwrap_or_default();
        if url.path().ends_with("/oauth2/v2.0/token") {
            return refusal("400 Bad Request", "invalid_request", "AADSTS90002: Tenant not found.");
        }
        if !self.tokens.contains(token) {
            return error(
                "401 Unauthorized",
                "InvalidAuthenticationToken",
                "Lifetime validation failed, the token is expired.",
            );
        }
        let options: BTreeMap<String, String> = url.query_pairs().into_owned().collect();
        let parts: Vec<&str> = url.path().trim_start_matches('/').split('/').collect();
        let Some(resource) = parts.get(1).and_then(|name| self.objects.keys().find(|known| *known == name))
        else {
            return error("404 Not Found", "Request_ResourceNotFound", "There is no such resource.");
        };
        let resource = *resource;
        if self.denied.contains(&resource) {
            let text = "Insufficient privileges to complete the operation.";
            return error("403 Forbidden", "Authorization_RequestDenied", text);
        }
        let found = match (method, &parts[..]) {
            ("GET", ["v1.0", _, "delta"]) => self.delta(resource, &options),
            ("GET", ["v1.0", _, id]) => self.one(resource, id, &options),
            ("GET", ["v1.0", "groups", id, "members"]) => self.members(id, &options),
            _ => Err(error("400 Bad Request", "Request_BadRequest", "There is no such method.")),
        };
        match found {
            Ok(page) => Reply { status: format!("200 OK{}", self.headers), body: page.to_string() },
            Err(reply) => reply,
        }
    }

    /// The token endpoint (learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow).
    fn token(&mut self, body: &str) -> Reply {
        let form = Url::parse(&format!("https://form.example/?{body}")).unwrap();
        let form: HashMap<String, String> = form.query_pairs().into_owned().collect();
        let text = |name: &str| form.get(name).map(String::as_str).unwrap_or_default();
        if text("grant_type") != "client_credentials" {
            return refusal("400 Bad Request", "unsupported_grant_type", "AADSTS70003: No such grant type.");
        }
        if text("client_id") != CLIENT_ID {
            return refusal("400 Bad Request", "unauthorized_client", "AADSTS700016: No such application.");
        }
        if text("scope") != format!("{}/.default", self.url) {
            return refusal("400 Bad Request", "invalid_scope", "AADSTS1002012: The scope is not valid.");
        }
        let secret = text("client_secret");
        let proof = match (secret, text("client_assertion")) {
            (SECRET, "") => Ok(()),
            (_, "") => {
                Err(format!("AADSTS7000215: Invalid client secret provided: '{secret}'.\r\nTrace ID: 1"))
            }
            ("", assertion)
                if text("client_assertion_type")
                    == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer" =>
            {
                self.verify(assertion)
            }
            _ => Err("AADSTS7000216: Another kind of proof is required.".to_owned()),
        };
        if let Err(why) = proof {
            return refusal("401 Unauthorized", "invalid_client", &why);
        }
        self.made += 1;
        let token = format!("t0ken-{}", self.made);
        self.tokens.insert(token.clone());
        let body = json!({
            "token_type": "Bearer", "expires_in": self.token_lifetime, "ext_expires_in": self.token_lifetime,
            "access_token": token,
        });
        Reply { status: "200 OK".to_owned(), body: body.to_string() }
    }

    fn verify(&mut self, assertion: &str) -> Result<(), String> {
        let wrong =
            |error: &dyn std::fmt::Display| format!("AADSTS700027: The assertion is not valid: {error}.");
        let known = self.certificate.as_ref().ok_or_else(|| wrong(&"no certificate"))?;
        let header = decode_header(assertion).map_err(|error| wrong(&error))?;
        if header.x5t_s256.as_deref() != Some(&known.thumbprint) || header.typ.as_deref() != Some("JWT") {
            return Err(wrong(&"the certificate is not known"));
        }
        let mut rules = Validation::new(Algorithm::PS256);
        rules.set_audience(&[format!("{}/{TENANT}/oauth2/v2.0/token", self.url)]);
        rules.set_issuer(&[CLIENT_ID]);
        rules.sub = Some(CLIENT_ID.to_owned());
        rules.set_required_spec_claims(&["aud", "iss", "sub", "exp", "nbf"]);
        rules.validate_nbf = true;
        rules.leeway = 0;
        let key = DecodingKey::from_rsa_pem(&known.key).unwrap();
        let claims = decode::<Value>(assertion, &key, &rules).map_err(|error| wrong(&error))?.claims;
        let lasts = claims["exp"].as_u64().unwrap() - claims["nbf"].as_u64().unwrap();
        if lasts > 15 * 60 || !self.assertions.insert(claims["jti"].as_str().unwrap().to_owned()) {
            return Err(wrong(&"it lasts too long, or came before"));
        }
        Ok(())
    }

    fn delta(&mut self, resource: &str, options: &BTreeMap<String, String>) -> Result<Value, Reply> {
        if let Some(page) = self.next(options) {
            return page;
        }
        let (since, select) = match options.get("$deltatoken") {
            Some(_) if options.len() > 1 => return Err(bad("Options go into the first request alone.")),
            Some(token) => match self.deltas.get(token) {
                Some((of, since, select)) if of == resource => (*since, select.clone()),
                Some(_) => return Err(bad("The token is of another resource.")),
                None => return Err(self.expired(resource)),
            },
            None => {
                if let Some(option) = options.keys().find(|option| *option != "$select") {
                    return Err(bad(&format!("{option} is not supported.")));
                }
                (0, selected(resource, options)?)
            }
        };
        let (entries, now) = (self.entries(resource, since, &select), self.clock);
        self.made += 1;
        let token = format!("d{}", self.made);
        let end = format!("{}/v1.0/{resource}/delta?$deltatoken={token}", self.url);
        self.deltas.insert(token, (resource.to_owned(), now, select));
        let path = format!("{resource}/delta");
        Ok(self.in_pages(&path, &entries, self.page_size, Some(end)))
    }

    /// What a round says: groups with many members several times.
    fn entries(&self, resource: &str, since: u64, select: &[String]) -> Vec<Value> {
        let mut entries = Vec::new();
        for (id, object) in self.objects[resource].iter().filter(|(_, object)| object.changed() > since) {
            if let Some((_, reason)) = object.removed {
                entries.push(json!({ "id": id, "@removed": { "reason": reason } }));
                continue;
            }
            let mut shown = Map::new();
            for name in select.iter().filter(|name| object.properties.contains_key(*name)) {
                let is_new = object.changes.iter().any(|(when, changed)| changed == name && *when > since);
                if is_new || !self.minimal {
                    shown.insert(name.clone(), object.properties[name].clone());
                }
            }
            shown.insert("id".into(), json!(id));
            let members: Vec<Value> =
                object.members(since).into_iter().map(|(id, came)| self.member_entry(id, came)).collect();
            if !select.contains(&"members".to_owned()) || members.is_empty() {
                entries.push(Value::Object(shown));
                continue;
            }
            for part in members.chunks(self.member_page_size) {
                shown.insert("members@delta".into(), Value::Array(part.to_vec()));
                entries.push(Value::Object(shown.clone()));
            }
        }
        if self.repeats {
            // Parts of a group do not stay together either.
            entries.extend(entries.first().cloned());
            let middle = entries.len() / 2;
            entries.rotate_left(middle);
        }
        entries
    }

    fn member_entry(&self, id: &str, came: bool) -> Value {
        let kinds = [("users", "user"), ("groups", "group"), ("contacts", "orgContact")];
        let kind = kinds.iter().find(|(resource, _)| self.objects[resource].contains_key(id));
        let kind = kind.map_or("device", |(_, kind)| kind);
        let mut entry = json!({ "@odata.type": format!("#microsoft.graph.{kind}"), "id": id });
        if !came {
            entry["@removed"] = json!({ "reason": "deleted" });
        }
        entry
    }

    fn one(&self, resource: &str, id: &str, options: &BTreeMap<String, String>) -> Result<Value, Reply> {
        let missing = || error("404 Not Found", "Request_ResourceNotFound", "There is no such object.");
        let object =
            self.objects[resource].get(id).filter(|object| object.removed.is_none()).ok_or_else(missing)?;
        let mut shown = Map::new();
        for name in selected(resource, options)? {
            let value = object.properties.get(&name).cloned().unwrap_or(Value::Null);
            shown.insert(name, value);
        }
        shown.insert("id".into(), json!(id));
        Ok(Value::Object(shown))
    }

    fn members(&mut self, id: &str, options: &BTreeMap<String, String>) -> Result<Value, Reply> {
        if let Some(page) = self.next(options) {
            return page;
        }
        let missing = || error("404 Not Found", "Request_ResourceNotFound", "There is no such object.");
        let group =
            self.objects["groups"].get(id).filter(|group| group.removed.is_none()).ok_or_else(missing)?;
        let until = self.behind.unwrap_or(u64::MAX);
        let known = group.members.iter().filter(|(when, ..)| *when <= until);
        let members: BTreeMap<&str, bool> = known.map(|(_, member, came)| (member.as_str(), *came)).collect();
        let is_there = |id: &str| {
            self.objects.values().filter_map(|objects| objects.get(id)).all(|object| object.removed.is_none())
        };
        let entries: Vec<Value> = members
            .into_iter()
            .filter(|(member, came)| *came && is_there(member))
            .map(|(member, _)| self.member_entry(member, true))
            .collect();
        let size = options.get("$top").map_or(100, |top| top.parse().unwrap()).min(self.member_page_size);
        Ok(self.in_pages(&format!("groups/{id}/members"), &entries, size, None))
    }

    /// The page that a `$skiptoken` stands for.
    fn next(&self, options: &BTreeMap<String, String>) -> Option<Result<Value, Reply>> {
        let token = options.get("$skiptoken")?;
        if options.len() > 1 {
            return Some(Err(bad("Options go into the first request alone.")));
        }
        Some(self.pages.get(token).cloned().ok_or_else(|| self.expired("users")))
    }

    /// Keeps all pages but the first, which it gives.
    fn in_pages(&mut self, path: &str, entries: &[Value], size: usize, end: Option<String>) -> Value {
        let mut chunks: Vec<Vec<Value>> = entries.chunks(size).map(<[Value]>::to_vec).collect();
        if chunks.is_empty() {
            chunks.push(Vec::new());
        }
        let mut after = end.map(|link| ("@odata.deltaLink", link));
        let mut page = Value::Null;
        for chunk in chunks.into_iter().rev() {
            page = json!({ "@odata.context": format!("{}/v1.0/$metadata#{path}", self.url), "value": chunk });
            if let Some((kind, link)) = after {
                page[kind] = json!(link);
            }
            self.made += 1;
            let token = format!("s{}", self.made);
            after = Some(("@odata.nextLink", format!("{}/v1.0/{path}?$skiptoken={token}", self.url)));
            self.pages.insert(token, page.clone());
        }
        page
    }

    fn expired(&self, resource: &str) -> Reply {
        let fresh = format!("410 Gone\r\nLocation: {}/v1.0/{resource}/delta?$deltatoken=", self.url);
        error(
            &fresh,
            "syncStateNotFound",
            "The sync state generation is not found. The delta token is expired.",
        )
    }
}

/// The properties that are asked for; those that a resource does not have are an error.
fn selected(resource: &str, options: &BTreeMap<String, String>) -> Result<Vec<String>, Reply> {
    let mut known = BTreeSet::from(["id", "mail", "proxyAddresses", "displayName"]);
    match resource {
        "users" => known.extend(["userPrincipalName", "otherMails", "accountEnabled", "userType"]),
        "groups" => known.extend(["mailEnabled", "groupTypes", "members"]),
        _ => {}
    }
    let select = options.get("$select").map_or("id", String::as_str);
    let names: Vec<String> = select.split(',').map(str::to_owned).collect();
    match names.iter().find(|name| !known.contains(name.as_str())) {
        Some(name) => Err(bad(&format!("Could not find a property named '{name}'."))),
        None => Ok(names),
    }
}

fn error(status: &str, code: &str, message: &str) -> Reply {
    let inner = json!({ "date": "2026-11-22T12:00:00", "request-id": "1", "client-request-id": "1" });
    let body = json!({ "error": { "code": code, "message": message, "innerError": inner } });
    Reply { status: status.to_owned(), body: body.to_string() }
}

fn bad(message: &str) -> Reply {
    error("400 Bad Request", "Request_BadRequest", message)
}

/// An error of the login server.
fn refusal(status: &str, code: &str, description: &str) -> Reply {
    let body = json!({ "error": code, "error_description": description, "trace_id": "1" });
    Reply { status: status.to_owned(), body: body.to_string() }
}
