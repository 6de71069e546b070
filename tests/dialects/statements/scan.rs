//! The statements in the source of the store.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use proc_macro2::{Group, TokenStream, TokenTree};
use syn::parse::Parser;
use syn::punctuated::Punctuated;
use syn::spanned::Spanned;
use syn::visit::Visit;
use syn::{Expr, ItemMacro, Lit, Macro, Token};

/// A statement, and where it stands.
#[derive(Debug, Clone)]
pub struct Statement {
    pub file: PathBuf,
    pub line: usize,
    pub text: String,
    /// It is put together with others: what `format!` and the builder of statements are given.
    pub is_piece: bool,
}

/// A macro with one arm, as those are that write parts of statements.
#[derive(Clone)]
struct Rules {
    parameters: Vec<String>,
    body: TokenStream,
}

/// All of those in `folder`, but for those in the folder `without` in it, in the order of the source.
pub fn statements(folder: &Path, without: &Path) -> Vec<Statement> {
    let mut files = Vec::new();
    walk(folder, &mut files);
    files.sort();
    let parsed: Vec<(PathBuf, String, syn::File)> = files
        .into_iter()
        .filter(|file| !file.starts_with(without))
        .map(|file| {
            let text = std::fs::read_to_string(&file).unwrap();
            let parsed = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
            (file, text, parsed)
        })
        .collect();
    let mut macros = Macros::default();
    for (_, _, file) in &parsed {
        macros.visit_file(file);
    }
    let mut all = Vec::new();
    for (path, text, file) in &parsed {
        let mut found = Found { macros: &macros.0, text, statements: Vec::new(), line: 0, is_piece: false };
        found.visit_file(file);
        all.extend(found.statements.into_iter().map(|found| Statement { file: path.clone(), ..found }));
    }
    all
}

fn walk(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            walk(&path, files);
        } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("tests.rs") {
            files.push(path);
        }
    }
}

#[derive(Default)]
struct Macros(BTreeMap<String, Rules>);

impl Visit<'_> for Macros {
    fn visit_item_macro(&mut self, item: &ItemMacro) {
        let Some(name) = &item.ident else { return };
        let tokens: Vec<TokenTree> = item.mac.tokens.clone().into_iter().collect();
        let [TokenTree::Group(matcher), TokenTree::Punct(_), TokenTree::Punct(_), TokenTree::Group(body), ..] =
            &tokens[..]
        else {
            return;
        };
        let mut parameters = Vec::new();
        let inner: Vec<TokenTree> = matcher.stream().into_iter().collect();
        for pair in inner.windows(2) {
            if let [TokenTree::Punct(sign), TokenTree::Ident(name)] = pair
                && sign.as_char() == '$'
            {
                parameters.push(name.to_string());
            }
        }
        self.0.insert(name.to_string(), Rules { parameters, body: body.stream() });
    }
}

impl Rules {
    fn applied(&self, arguments: TokenStream) -> TokenStream {
        let mut given: Vec<TokenStream> = vec![TokenStream::new()];
        for token in arguments {
            match &token {
                TokenTree::Punct(sign) if sign.as_char() == ',' => given.push(TokenStream::new()),
                _ => given.last_mut().unwrap().extend([token]),
            }
        }
        self.replaced(self.body.clone(), &given)
    }

    fn replaced(&self, body: TokenStream, given: &[TokenStream]) -> TokenStream {
        let mut out = TokenStream::new();
        let mut tokens = body.into_iter().peekable();
        while let Some(token) = tokens.next() {
            match token {
                TokenTree::Punct(sign) if sign.as_char() == '$' => {
                    if let Some(TokenTree::Ident(name)) = tokens.peek()
                        && let Some(at) = self.parameters.iter().position(|parameter| name == parameter)
                    {
                        out.extend(given.get(at).cloned().unwrap_or_default());
                        tokens.next();
                    } else {
                        out.extend([TokenTree::Punct(sign)]);
                    }
                }
                TokenTree::Group(group) => {
                    let inner = self.replaced(group.stream(), given);
                    out.extend([TokenTree::Group(Group::new(group.delimiter(), inner))]);
                }
                other => out.extend([other]),
            }
        }
        out
    }
}

struct Found<'m> {
    macros: &'m BTreeMap<String, Rules>,
    /// Of the file.
    text: &'m str,
    statements: Vec<Statement>,
    /// Of the macro that is looked into.
    line: usize,
    is_piece: bool,
}

/// What statements begin with that read or write rows.
pub const VERBS: [&str; 5] = ["SELECT ", "INSERT ", "UPDATE ", "DELETE ", "WITH "];

impl Found<'_> {
    fn text(&self, expression: &Expr) -> Option<String> {
        match expression {
            Expr::Lit(literal) => match &literal.lit {
                Lit::Str(text) => Some(text.value()),
                Lit::Int(number) => Some(number.to_string()),
                _ => None,
            },
            Expr::Macro(inner) => self.of_macro(&inner.mac),
            Expr::Group(group) => self.text(&group.expr),
            _ => None,
        }
    }

    fn of_macro(&self, mac: &Macro) -> Option<String> {
        let name = mac.path.segments.last()?.ident.to_string();
        if name == "concat" {
            let parts = Punctuated::<Expr, Token![,]>::parse_terminated.parse2(mac.tokens.clone()).ok()?;
            return parts.iter().map(|part| self.text(part)).collect();
        }
        let applied = self.macros.get(&name)?.applied(mac.tokens.clone());
        self.text(&syn::parse2::<Expr>(applied).ok()?)
    }

    /// What a macro comes to lives no longer than this.
    fn look_into(&mut self, expression: &Expr) {
        let mut inner = Found {
            macros: self.macros,
            text: self.text,
            statements: Vec::new(),
            line: self.line,
            is_piece: self.is_piece,
        };
        inner.visit_expr(expression);
        self.statements.append(&mut inner.statements);
    }

    fn note(&mut self, line: usize, text: &str) {
        let begun = text.trim_start();
        if VERBS.iter().any(|verb| begun.starts_with(verb)) {
            self.statements.push(Statement {
                file: PathBuf::new(),
                line: if self.line > 0 { self.line } else { line },
                text: text.to_owned(),
                is_piece: self.is_piece,
            });
        }
    }
}

impl<'a> Visit<'a> for Found<'_> {
    fn visit_item_mod(&mut self, item: &'a syn::ItemMod) {
        if item.ident != "tests" {
            syn::visit::visit_item_mod(self, item);
        }
    }

    fn visit_item_const(&mut self, constant: &'a syn::ItemConst) {
        let outer = self.is_piece;
        let name = &constant.ident;
        self.is_piece |= [format!("{{{name}}}"), format!("Builder::new({name})"), format!("push({name})")]
            .iter()
            .any(|used| self.text.contains(used));
        syn::visit::visit_item_const(self, constant);
        self.is_piece = outer;
    }

    fn visit_lit_str(&mut self, literal: &'a syn::LitStr) {
        self.note(literal.span().start().line, &literal.value());
    }

    fn visit_attribute(&mut self, _: &'a syn::Attribute) {}

    fn visit_macro(&mut self, mac: &'a Macro) {
        if let Some(text) = self.of_macro(mac) {
            self.note(mac.span().start().line, &text);
            return;
        }
        let Some(name) = mac.path.segments.last().map(|segment| segment.ident.to_string()) else { return };
        let outer = (self.line, self.is_piece);
        if self.line == 0 {
            self.line = mac.span().start().line;
        }
        self.is_piece |= matches!(name.as_str(), "format" | "write" | "writeln");
        let inner: Vec<Expr> = match self.macros.get(&name) {
            Some(rules) => syn::parse2(rules.applied(mac.tokens.clone())).into_iter().collect(),
            None => Punctuated::<Expr, Token![,]>::parse_terminated
                .parse2(mac.tokens.clone())
                .map_or_else(|_| Vec::new(), |parts| parts.into_iter().collect()),
        };
        inner.iter().for_each(|part| self.look_into(part));
        (self.line, self.is_piece) = outer;
    }

    fn visit_expr_method_call(&mut self, call: &'a syn::ExprMethodCall) {
        self.visit_expr(&call.receiver);
        let outer = self.is_piece;
        self.is_piece |= matches!(call.method.to_string().as_str(), "push" | "push_str" | "and");
        call.args.iter().for_each(|argument| self.visit_expr(argument));
        self.is_piece = outer;
    }

    fn visit_expr_call(&mut self, call: &'a syn::ExprCall) {
        let outer = self.is_piece;
        self.is_piece |= matches!(&*call.func, Expr::Path(path) if path.path.segments.first().is_some_and(|first| first.ident == "Builder"));
        syn::visit::visit_expr_call(self, call);
        self.is_piece = outer;
    }
}
