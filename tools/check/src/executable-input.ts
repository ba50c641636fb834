import ts from 'typescript';

/**
 * Nothing that is read (data sets, caches, checkpoints, messages) may become code. What could make it so is refused here:
 * evaluation of text, code loaded from a computed place, decoders that generate code, other programs.
 */

/** Modules that run text or unpack code, with why. */
const BANNED_MODULES: Readonly<Record<string, string>> = {
  vm: 'runs text as code',
  repl: 'runs text as code',
  inspector: 'runs text as code',
  v8: 'unpacks objects from bytes',
};
/** lmdb's own encodings by msgpackr and cbor-x generate code from what is stored. */
const PLAIN_ENCODINGS = ['binary', 'json', 'string'];

/** What could run in `text`, a TypeScript source, that is not part of the program: "line: what". */
export function executableInputFaults(text: string, path: string): string[] {
  const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
  const faults: string[] = [];
  const visit = (node: ts.Node): void => {
    const fault = faultOf(node, source);
    if (fault !== undefined) {
      const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
      faults.push(`${path}:${line + 1}: ${fault}`);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return faults;
}

function faultOf(node: ts.Node, source: ts.SourceFile): string | undefined {
  if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
    return moduleFault(node.moduleSpecifier.text);
  }
  if (ts.isNewExpression(node)) return newFault(node, source);
  if (ts.isCallExpression(node)) return callFault(node, source);
  return undefined;
}

function moduleFault(specifier: string): string | undefined {
  const name = specifier.replace(/^node:/, '');
  if (name === 'child_process') return 'child_process starts other programs';
  const reason = BANNED_MODULES[name];
  return reason && `${name} ${reason}`;
}

function newFault(
  { expression, arguments: given = ts.factory.createNodeArray() }: ts.NewExpression,
  source: ts.SourceFile,
) {
  const made = expression.getText(source);
  const argument = given[0]?.getText(source) ?? '';
  if (made === 'Function') return 'new Function() runs text as code';
  if (/ebAssembly\.Module$/.test(made) && !argument.includes('import.meta.url'))
    return 'WebAssembly must come from a file of the package (import.meta.url)';
  if (
    made === 'Worker' &&
    !/^new URL\(\s*'[^']+',\s*import\.meta\.url\s*\)$/.test(argument) &&
    !isConstant(argument, source)
  )
    return 'a thread must run a file of the package (new URL(…, import.meta.url)) or a constant text';
  return undefined;
}

function callFault(
  { expression, arguments: given }: ts.CallExpression,
  source: ts.SourceFile,
): string | undefined {
  const called = expression.getText(source);
  const [argument] = given;
  if (/^(?:globalThis\.)?eval$/.test(called)) return 'eval() runs text as code';
  if (called === 'Function') return 'Function() runs text as code';
  if (/ebAssembly\.(?:compile|instantiate)/.test(called)) return 'WebAssembly must be made by new Module()';
  const isLoad = expression.kind === ts.SyntaxKind.ImportKeyword || called === 'require';
  if (isLoad && !(argument && ts.isStringLiteral(argument)))
    return `${called}() must load a module named in the source`;
  if (called.endsWith('.openDB')) {
    const encoding = /encoding:\s*'(\w+)'/.exec(argument?.getText(source) ?? '')?.[1] ?? 'none';
    if (!PLAIN_ENCODINGS.includes(encoding))
      return `a store must have an encoding of ${PLAIN_ENCODINGS.join(', ')}, got ${encoding}`;
  }
  return undefined;
}

/** Whether `name` is a constant of this file whose text stands in the source, but for fields of other constants. */
function isConstant(name: string, source: ts.SourceFile): boolean {
  return source.statements.some(
    (statement) =>
      ts.isVariableStatement(statement) &&
      (statement.declarationList.flags & ts.NodeFlags.Const) !== 0 &&
      statement.declarationList.declarations.some(
        ({ name: declared, initializer }) =>
          declared.getText(source) === name && isFixedText(initializer, source),
      ),
  );
}

function isFixedText(text: ts.Expression | undefined, source: ts.SourceFile): boolean {
  if (text === undefined) return false;
  if (ts.isStringLiteralLike(text)) return true;
  return (
    ts.isTemplateExpression(text) &&
    text.templateSpans.every(({ expression }) => /^[A-Z_]+\.\w+$/.test(expression.getText(source)))
  );
}
