import { readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';

const TYPE_PREFIX = 'type ';

function readModule(path: string): ts.SourceFile {
  return ts.createSourceFile(path, readFileSync(path, 'utf8'), ts.ScriptTarget.Latest);
}

function isExported(statement: ts.Statement): boolean {
  return ts.canHaveModifiers(statement)
    ? (ts.getModifiers(statement) ?? []).some(({ kind }) => kind === ts.SyntaxKind.ExportKeyword)
    : false;
}

/** Names that an exported declaration adds to its module; those that only types have begin with `type `. */
function declaredNames(statement: ts.Statement): string[] {
  if (ts.isVariableStatement(statement)) {
    return statement.declarationList.declarations.flatMap(({ name }) =>
      ts.isIdentifier(name) ? [name.text] : [],
    );
  }
  if (ts.isInterfaceDeclaration(statement) || ts.isTypeAliasDeclaration(statement)) {
    return [TYPE_PREFIX + statement.name.text];
  }
  if (ts.isFunctionDeclaration(statement) || ts.isClassDeclaration(statement)) {
    return [statement.name?.text ?? 'default'];
  }
  // ts-proto's namespaces hold nothing but the types of an enum's values.
  if (ts.isModuleDeclaration(statement)) return [TYPE_PREFIX + statement.name.text];
  throw new Error(
    `internal: cannot list exports: ${ts.SyntaxKind[statement.kind]} is a kind that nothing exported so far`,
  );
}

/** Names of an `export ... from` declaration; `export *` gives those of the other module. */
function reexportedNames(path: string, declaration: ts.ExportDeclaration): string[] {
  const { exportClause: clause, moduleSpecifier: specifier, isTypeOnly } = declaration;
  if (clause === undefined) {
    return exportedNames(join(dirname(path), (specifier as ts.StringLiteral).text));
  }
  if (ts.isNamespaceExport(clause)) return [clause.name.text];
  return clause.elements.map((element) =>
    isTypeOnly || element.isTypeOnly ? TYPE_PREFIX + element.name.text : element.name.text,
  );
}

/**
 * What the module at `path` exports: values, then types as `type <name>`, each sorted. A name that is both, a class for
 * example, counts as a value.
 */
export function exportedNames(path: string): string[] {
  const { statements } = readModule(path);
  const names = statements.flatMap((statement) => {
    if (ts.isExportDeclaration(statement)) return reexportedNames(path, statement);
    return isExported(statement) ? declaredNames(statement) : [];
  });
  const values = new Set(names.filter((name) => !name.startsWith(TYPE_PREFIX)));
  const types = new Set(names.filter((name) => name.startsWith(TYPE_PREFIX)));
  return [
    ...[...values].sort(),
    ...[...types].filter((name) => !values.has(name.slice(TYPE_PREFIX.length))).sort(),
  ];
}
