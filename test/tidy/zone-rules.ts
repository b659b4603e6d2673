import ts from 'typescript';
import { finding, walk } from './sources.js';

/** What may not even be named in the deterministic zone, with the reason. */
const BANNED_GLOBALS: ReadonlyMap<string, string> = new Map([
  ...['Date', 'performance', 'Intl'].map((name) => [name, 'time and locale are the host’s'] as const),
  ...['WeakRef', 'FinalizationRegistry'].map((name) => [name, 'garbage collection is not reproducible'] as const),
  ...['SharedArrayBuffer', 'Atomics'].map((name) => [name, 'threads are not reproducible'] as const),
  ...[
    'process',
    'Buffer',
    'console',
    'crypto',
    'fetch',
    'require',
    'setTimeout',
    'setInterval',
    'setImmediate',
    'queueMicrotask',
  ].map((name) => [name, 'the host’s services are handed in'] as const),
  ...['eval', 'Function'].map((name) => [name, 'code is not made from text'] as const),
]);

/** Exact by IEEE 754 or by definition; the engine approximates all others. */
const EXACT_MATH = new Set([
  'abs',
  'ceil',
  'clz32',
  'floor',
  'fround',
  'imul',
  'max',
  'min',
  'round',
  'sign',
  'sqrt',
  'trunc',
]);

/** They depend on the locale or on the engine's Unicode tables. */
const LOCALE_METHODS = /^(toLocale\w*|localeCompare|normalize)$/;

/** Methods of built-in collections that change them. */
const MUTATORS =
  /^(set|add|delete|clear|push|pop|shift|unshift|splice|sort|reverse|fill|copyWithin|set(Big)?(Ui|I)nt\d+|setFloat\d+)$/;

/** Everything about `file` that could make one run differ from another. `program` must contain it. */
export function zoneFindings(program: ts.Program, file: ts.SourceFile): string[] {
  return [...nondeterminism(program, file), ...mutableState(program, file)];
}

function declaredByEngine(program: ts.Program, symbol: ts.Symbol | undefined): boolean {
  return symbol?.declarations?.every((d) => program.isSourceFileDefaultLibrary(d.getSourceFile())) ?? false;
}

function nondeterminism(program: ts.Program, file: ts.SourceFile): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  const report = (node: ts.Node, problem: string): void => void found.push(finding(file, node, problem));
  walk(file, (node) => {
    if (ts.isIdentifier(node)) {
      const reason = BANNED_GLOBALS.get(node.text);
      const symbol = checker.getSymbolAtLocation(node);
      const foreign = symbol === undefined || declaredByEngine(program, symbol);
      if (reason !== undefined && foreign && !isName(node)) report(node, `${node.text}: ${reason}`);
      if (node.text === 'Math' && foreign && !isName(node)) {
        const { parent } = node;
        const member = ts.isPropertyAccessExpression(parent) && parent.expression === node ? parent.name.text : null;
        if (member === null || !EXACT_MATH.has(member))
          report(node, `Math.${member ?? '?'}: only exact functions may be used`);
      }
    } else if (ts.isPropertyAccessExpression(node) && LOCALE_METHODS.test(node.name.text)) {
      if (declaredByEngine(program, checker.getSymbolAtLocation(node.name))) {
        report(node, `${node.name.text}: depends on locale or Unicode tables`);
      }
    } else if (ts.isBinaryExpression(node) && isPower(node.operatorToken.kind)) {
      const isBigint = (checker.getTypeAtLocation(node.left).flags & ts.TypeFlags.BigIntLike) !== 0;
      // Powers of two are exact.
      if (!isBigint && node.left.getText(file) !== '2') report(node, '**: the engine approximates powers');
    } else if (ts.isCallExpression(node) && node.expression.kind === ts.SyntaxKind.ImportKeyword) {
      report(node, 'import(): modules are loaded before the machine starts');
    }
  });
  return found;
}

function isPower(kind: ts.SyntaxKind): boolean {
  return kind === ts.SyntaxKind.AsteriskAsteriskToken || kind === ts.SyntaxKind.AsteriskAsteriskEqualsToken;
}

/** True where an identifier names a member or a binding of its own instead of referring to a global. */
function isName(node: ts.Identifier): boolean {
  const { parent } = node;
  if (ts.isPropertyAccessExpression(parent)) return parent.name === node;
  if (ts.isQualifiedName(parent)) return parent.right === node;
  return (
    (ts.isPropertyAssignment(parent) ||
      ts.isPropertySignature(parent) ||
      ts.isPropertyDeclaration(parent) ||
      ts.isMethodDeclaration(parent) ||
      ts.isMethodSignature(parent) ||
      ts.isBindingElement(parent) ||
      ts.isEnumMember(parent) ||
      ts.isGetAccessor(parent) ||
      ts.isSetAccessor(parent)) &&
    parent.name === node
  );
}

/**
 * State that outlives a machine. Constant tables are fine, also ones that are filled while their module loads. Trouble
 * is: a variable that can be assigned anew, anything of a module that a function changes, and a collection that starts
 * empty, because somebody will fill it.
 */
function mutableState(program: ts.Program, file: ts.SourceFile): string[] {
  const checker = program.getTypeChecker();
  const found: string[] = [];
  const report = (node: ts.Node, problem: string): void => void found.push(finding(file, node, problem));
  const filledAtLoad = new Set<ts.Symbol>();

  walk(file, (node) => {
    const target = changedExpression(program, node);
    if (target === null) return;
    const root = rootOf(target);
    const symbol = root === null ? undefined : resolved(checker, root);
    if (symbol === undefined || !isModuleLevel(symbol)) return;
    const atLoad = !isInFunction(node) && symbol.valueDeclaration?.getSourceFile() === file;
    if (atLoad) filledAtLoad.add(symbol);
    else report(node, `${symbol.name} belongs to the module and is changed here`);
  });

  for (const statement of file.statements) {
    if (ts.isClassDeclaration(statement)) {
      for (const member of statement.members) {
        const isStatic =
          ts.canHaveModifiers(member) && ts.getModifiers(member)?.some((m) => m.kind === ts.SyntaxKind.StaticKeyword);
        if (isStatic && ts.isPropertyDeclaration(member) && !isReadonly(member))
          report(member, 'a static field that can change');
      }
    }
    if (!ts.isVariableStatement(statement) || isAmbient(statement)) continue;
    if ((statement.declarationList.flags & ts.NodeFlags.Const) === 0) {
      report(statement, 'a variable of the module that can change');
      continue;
    }
    for (const declaration of statement.declarationList.declarations) {
      const symbol = checker.getSymbolAtLocation(declaration.name);
      if (declaration.initializer === undefined || (symbol !== undefined && filledAtLoad.has(symbol))) continue;
      const initializer = bare(declaration.initializer);
      const isSealed = declaration.type !== undefined && /^[Rr]eadonly/.test(declaration.type.getText(file));
      if (isEmptyCollection(initializer) && !isSealed)
        report(declaration, `${declaration.name.getText(file)} starts empty: who fills it?`);
      if (ts.isNewExpression(initializer) && hasChangingFields(program, checker, initializer)) {
        report(declaration, `${declaration.name.getText(file)} is an object with state`);
      }
    }
  }
  return found;
}

/** What `node` changes, or null when it changes nothing by itself. */
function changedExpression(program: ts.Program, node: ts.Node): ts.Expression | null {
  if (ts.isBinaryExpression(node)) {
    const { kind } = node.operatorToken;
    const assigns = kind >= ts.SyntaxKind.FirstAssignment && kind <= ts.SyntaxKind.LastAssignment;
    return assigns && isAccess(node.left) ? node.left : null;
  }
  if (ts.isPrefixUnaryExpression(node) || ts.isPostfixUnaryExpression(node)) {
    const { operator } = node;
    const steps = operator === ts.SyntaxKind.PlusPlusToken || operator === ts.SyntaxKind.MinusMinusToken;
    return steps && isAccess(node.operand) ? node.operand : null;
  }
  if (ts.isDeleteExpression(node)) return node.expression;
  if (!ts.isCallExpression(node) || !ts.isPropertyAccessExpression(node.expression)) return null;
  const { expression: receiver, name } = node.expression;
  const native = declaredByEngine(program, program.getTypeChecker().getSymbolAtLocation(name));
  if (native && /^(assign|defineProperty|defineProperties|setPrototypeOf)$/.test(name.text))
    return node.arguments[0] ?? null;
  if (native && MUTATORS.test(name.text)) return receiver;
  return native && /^(exec|test)$/.test(name.text) && remembersPlace(program.getTypeChecker(), receiver)
    ? receiver
    : null;
}

/** A regular expression with the flag g or y goes on from where its last match ended. */
function remembersPlace(checker: ts.TypeChecker, expression: ts.Expression): boolean {
  const e = bare(expression);
  if (ts.isRegularExpressionLiteral(e)) return /\/[a-z]*[gy][a-z]*$/.test(e.text);
  const declaration = ts.isIdentifier(e) ? resolved(checker, e)?.valueDeclaration : undefined;
  if (declaration === undefined || !ts.isVariableDeclaration(declaration) || declaration.initializer === undefined)
    return false;
  return !ts.isIdentifier(bare(declaration.initializer)) && remembersPlace(checker, declaration.initializer);
}

function isAccess(node: ts.Node): node is ts.PropertyAccessExpression | ts.ElementAccessExpression {
  return ts.isPropertyAccessExpression(node) || ts.isElementAccessExpression(node);
}

/** The variable through which an expression reaches its object. */
function rootOf(expression: ts.Expression): ts.Identifier | null {
  const e = bare(expression);
  if (ts.isIdentifier(e)) return e;
  if (isAccess(e)) return rootOf(e.expression);
  // map.get(key).push(value) changes what the map holds.
  if (
    ts.isCallExpression(e) &&
    ts.isPropertyAccessExpression(e.expression) &&
    /^(get|at|find)$/.test(e.expression.name.text)
  ) {
    return rootOf(e.expression.expression);
  }
  return null;
}

/** Without parentheses, assertions and type arguments around it. */
function bare(e: ts.Expression): ts.Expression {
  while (
    ts.isParenthesizedExpression(e) ||
    ts.isAsExpression(e) ||
    ts.isSatisfiesExpression(e) ||
    ts.isNonNullExpression(e)
  ) {
    e = e.expression;
  }
  return e;
}

function resolved(checker: ts.TypeChecker, name: ts.Identifier): ts.Symbol | undefined {
  const symbol = checker.getSymbolAtLocation(name);
  return symbol !== undefined && symbol.flags & ts.SymbolFlags.Alias ? checker.getAliasedSymbol(symbol) : symbol;
}

function isModuleLevel(symbol: ts.Symbol): boolean {
  const declaration = symbol.valueDeclaration;
  if (declaration === undefined) return false;
  if (ts.isClassDeclaration(declaration) || ts.isFunctionDeclaration(declaration))
    return ts.isSourceFile(declaration.parent);
  return ts.isVariableDeclaration(declaration) && ts.isSourceFile(declaration.parent.parent.parent);
}

function isInFunction(node: ts.Node): boolean {
  for (let at: ts.Node = node; at !== undefined; at = at.parent)
    if (ts.isFunctionLike(at) || ts.isPropertyDeclaration(at)) return true;
  return false;
}

function isAmbient(statement: ts.VariableStatement): boolean {
  return statement.modifiers?.some((m) => m.kind === ts.SyntaxKind.DeclareKeyword) ?? false;
}

function isReadonly(member: ts.PropertyDeclaration): boolean {
  return member.modifiers?.some((m) => m.kind === ts.SyntaxKind.ReadonlyKeyword) ?? false;
}

function isEmptyCollection(e: ts.Expression): boolean {
  if (ts.isArrayLiteralExpression(e)) return e.elements.length === 0;
  if (ts.isObjectLiteralExpression(e)) return e.properties.length === 0;
  if (!ts.isNewExpression(e)) return false;
  const name = e.expression.getText();
  if (/^Weak(Map|Set)$/.test(name)) return true;
  const [first] = e.arguments ?? [];
  if (/^(Map|Set|Array)$/.test(name)) return first === undefined;
  // Zeros: scratch space.
  if (/^(ArrayBuffer|DataView)$/.test(name)) return true;
  if (!/^(Big)?(Ui|I)nt\d+(Clamped)?Array$|^Float\d+Array$/.test(name) || first === undefined) return false;
  return !ts.isArrayLiteralExpression(bare(first)) && first.getText() !== '0';
}

/** An instance of one of our own classes that has a field which can change. */
function hasChangingFields(program: ts.Program, checker: ts.TypeChecker, e: ts.NewExpression): boolean {
  const declaration = checker.getTypeAtLocation(e).symbol?.valueDeclaration;
  if (declaration === undefined || !ts.isClassDeclaration(declaration)) return false;
  if (program.isSourceFileDefaultLibrary(declaration.getSourceFile())) return false;
  return declaration.members.some((m) => ts.isPropertyDeclaration(m) && !isReadonly(m));
}
