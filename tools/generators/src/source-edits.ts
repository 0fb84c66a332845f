import type { Tree } from '@nx/devkit';
import ts from 'typescript';

/** Appends an element to the first array literal inside the declaration of `name`. Throws when the file has no such place. */
export function appendElement(tree: Tree, path: string, name: string, element: string): void {
  const { text, declaration } = declarationOf(tree, path, name);
  const array = first(declaration, ts.isArrayLiteralExpression);
  if (array === undefined) throw new Error(`${path}: there is no array in ${name} to add ${element} to`);
  const last = array.elements.at(-1);
  insert(tree, path, text, last?.end ?? array.end - 1, last ? `, ${element}` : element);
}

/** Appends a member to the first object literal inside the declaration of `name`. Throws when the file has no such place. */
export function appendMember(tree: Tree, path: string, name: string, member: string): void {
  const { text, declaration } = declarationOf(tree, path, name);
  const object = first(declaration, ts.isObjectLiteralExpression);
  if (object === undefined) throw new Error(`${path}: there is no object in ${name} to add ${member} to`);
  insert(tree, path, text, object.end - 1, `${object.properties.length > 0 && !object.properties.hasTrailingComma ? ',' : ''}${member},\n`);
}

/** Appends a clause to the first `switch` inside the declaration of `name`. Throws when the file has no such place. */
export function appendCase(tree: Tree, path: string, name: string, clause: string): void {
  const { text, declaration } = declarationOf(tree, path, name);
  const block = first(declaration, ts.isCaseBlock);
  if (block === undefined) throw new Error(`${path}: there is no switch in ${name} to add a case to`);
  insert(tree, path, text, block.end - 1, `${clause}\n`);
}

/** Adds an `import … from` or `export … from` of a relative module, in the order of the modules' names. */
export function addModuleLine(tree: Tree, path: string, line: string): void {
  const { text, source } = read(tree, path);
  const own = specifierOf(ts.createSourceFile('', line, ts.ScriptTarget.Latest, true).statements[0]!) ?? '';
  const lines = source.statements.filter((statement) => specifierOf(statement)?.startsWith('.'));
  const next = lines.find((statement) => specifierOf(statement)! > own);
  const end = lines.at(-1)?.end ?? source.statements.findLast((statement) => specifierOf(statement) !== undefined)?.end ?? 0;
  if (next) insert(tree, path, text, next.getStart(source), `${line}\n`);
  else insert(tree, path, text, end, `\n${line}`);
}

/** The names of the members of the first object literal inside the declaration of `name`, each with its source text. */
export function membersOf(tree: Tree, path: string, name: string): ReadonlyMap<string, string> {
  const { source, declaration } = declarationOf(tree, path, name);
  const members = first(declaration, ts.isObjectLiteralExpression)?.properties.filter(ts.isPropertyAssignment) ?? [];
  return new Map(members.map((member) => [propertyName(member.name), member.initializer.getText(source)]));
}

function propertyName(name: ts.PropertyName): string {
  return ts.isStringLiteral(name) || ts.isIdentifier(name) ? name.text : name.getText();
}

function read(tree: Tree, path: string): { text: string; source: ts.SourceFile } {
  const text = tree.read(path, 'utf8');
  if (text === null) throw new Error(`${path} does not exist`);
  return { text, source: ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true) };
}

function declarationOf(tree: Tree, path: string, name: string): { text: string; source: ts.SourceFile; declaration: ts.Node } {
  const { text, source } = read(tree, path);
  const declaration = first(
    source,
    (node): node is ts.Node =>
      (ts.isVariableDeclaration(node) || ts.isFunctionDeclaration(node) || ts.isMethodDeclaration(node)) &&
      node.name?.getText(source) === name,
  );
  if (declaration === undefined) throw new Error(`${path} does not declare ${name}`);
  return { text, source, declaration };
}

function first<Found extends ts.Node>(node: ts.Node, is: (node: ts.Node) => node is Found): Found | undefined {
  return is(node) ? node : ts.forEachChild(node, (child) => first(child, is));
}

function specifierOf(statement: ts.Statement): string | undefined {
  if (!ts.isImportDeclaration(statement) && !ts.isExportDeclaration(statement)) return undefined;
  return statement.moduleSpecifier && ts.isStringLiteral(statement.moduleSpecifier) ? statement.moduleSpecifier.text : undefined;
}

function insert(tree: Tree, path: string, text: string, position: number, addition: string): void {
  tree.write(path, text.slice(0, position) + addition + text.slice(position));
}
