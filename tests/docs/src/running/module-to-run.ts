import { parseSync, type Statement } from 'oxc-parser'
import { GIVEN } from '../snippet-context.ts'
import { moduleOf, type Snippet } from '../snippets.ts'

/**
 * A snippet as a module that runs. The names that its reader has are asked for where the compiled
 * one only declares them, and everything that it makes is exported, also what it makes and gives no
 * name, so that a test can use and close it.
 */
export function moduleToRun(snippet: Snippet): string {
  const text = moduleOf(
    snippet,
    (name, type) =>
      `const ${name} = await globalThis.${GIVEN}(${JSON.stringify(name)}, ${JSON.stringify(type)})`,
  )
  const { program } = parseSync('snippet.ts', text)
  const isOfPrelude = (node: Statement) => text.lastIndexOf('\n', node.start) === -1
  const edits: [at: number, inserted: string][] = []
  const names: string[] = []
  for (const node of program.body) {
    if (isOfPrelude(node)) continue
    if (node.type === 'ExpressionStatement') {
      const made = startedAtOnce(node) ?? node.expression
      const name = `unnamed${edits.length}`
      edits.push([node.start, `export const ${name} = `])
      if (made !== node.expression) edits.push([made.end, `; ${name}`])
    } else {
      names.push(...namesOf(node))
    }
  }
  const edited = edits
    .sort(([one], [other]) => other - one)
    .reduce((all, [at, inserted]) => all.slice(0, at) + inserted + all.slice(at), text)
  return `${edited}\nexport { ${names.join(', ')} }\n`
}

/** What `make(…).start()` makes, because that call itself returns nothing. */
function startedAtOnce(node: Statement & { type: 'ExpressionStatement' }) {
  const { expression } = node
  if (expression.type !== 'CallExpression') return undefined
  const { callee } = expression
  if (callee.type !== 'MemberExpression' || callee.object.type !== 'CallExpression') {
    return undefined
  }
  return callee.property.type === 'Identifier' && callee.property.name === 'start'
    ? callee.object
    : undefined
}

function namesOf(node: Statement): string[] {
  if (node.type === 'VariableDeclaration') {
    return node.declarations.flatMap(({ id }) => boundBy(id as Pattern))
  }
  if (node.type === 'FunctionDeclaration' || node.type === 'ClassDeclaration') {
    return node.id ? [node.id.name] : []
  }
  return []
}

type Pattern =
  | { type: 'Identifier'; name: string }
  | { type: 'ObjectPattern'; properties: { value?: Pattern; argument?: Pattern }[] }
  | { type: 'ArrayPattern'; elements: (Pattern | null)[] }
  | { type: 'AssignmentPattern'; left: Pattern }
  | { type: 'RestElement'; argument: Pattern }

function boundBy(pattern: Pattern): string[] {
  switch (pattern.type) {
    case 'Identifier':
      return [pattern.name]
    case 'ObjectPattern':
      return pattern.properties.flatMap(({ value, argument }) =>
        [value ?? argument].flatMap((inner) => (inner ? boundBy(inner) : [])),
      )
    case 'ArrayPattern':
      return pattern.elements.flatMap((inner) => (inner ? boundBy(inner) : []))
    case 'AssignmentPattern':
      return boundBy(pattern.left)
    case 'RestElement':
      return boundBy(pattern.argument)
  }
}
