/** The tables, functions and indexes that migrations create, read from their texts. */
export interface ExpectedObjects {
  readonly tables: ReadonlyMap<string, ExpectedTable>
  /** Functions by name, each with its body and the statement that creates it again. */
  readonly functions: ReadonlyMap<string, { readonly body: string; readonly statement: string }>
  readonly indexes: ReadonlyMap<string, string>
  readonly triggers: ReadonlyMap<string, { readonly table: string; readonly statement: string }>
}

export interface ExpectedTable {
  readonly isUnlogged: boolean
  /** Columns by name, each with its definition in CREATE TABLE. */
  readonly columns: ReadonlyMap<string, string>
  /** Constraints by name, each with its definition after ADD. */
  readonly constraints: ReadonlyMap<string, string>
}

interface Objects {
  tables: Map<
    string,
    { isUnlogged: boolean; columns: Map<string, string>; constraints: Map<string, string> }
  >
  functions: Map<string, { body: string; statement: string }>
  indexes: Map<string, string>
  triggers: Map<string, { table: string; statement: string }>
}

/**
 * Reads the texts in the order in which they run, so that an object which a later text replaces or
 * drops is in its last form or missing.
 */
export function expectedObjects(texts: readonly string[]): ExpectedObjects {
  const objects: Objects = {
    tables: new Map(),
    functions: new Map(),
    indexes: new Map(),
    triggers: new Map(),
  }
  for (const text of texts) {
    const statement = text.trim()
    for (const [pattern, take] of FORMS) {
      const match = statement.match(pattern)
      if (match === null) continue
      take(objects, match, statement)
      break
    }
  }
  return objects
}

type Take = (objects: Objects, match: RegExpMatchArray, statement: string) => void

const NAME = String.raw`(?:"[^"]+"\.)?(\w+)`

const FORMS: readonly (readonly [RegExp, Take])[] = [
  [new RegExp(`^create (unlogged )?table (?:if not exists )?${NAME}`), takeTable],
  [new RegExp(`^alter table (?:only )?${NAME}\\s+`), alterTable],
  [new RegExp(`^create (?:or replace )?function ${NAME}`), takeFunction],
  [
    new RegExp(`^create (?:unique )?index (?:if not exists )?${NAME} on `),
    ({ indexes }, [, name = ''], statement) => void indexes.set(name, `${statement};`),
  ],
  [
    new RegExp(`^create trigger (\\w+)[^;]*? on ${NAME}`),
    ({ triggers }, [, name = '', table = ''], statement) =>
      void triggers.set(name, { table, statement: `${statement};` }),
  ],
  [
    new RegExp(`^drop (table|function|index|trigger) (?:if exists )?${NAME}`),
    (objects, [, kind, name = '']) => {
      if (kind === 'table') objects.tables.delete(name)
      else if (kind === 'function') objects.functions.delete(name)
      else if (kind === 'index') objects.indexes.delete(name)
      else objects.triggers.delete(name)
    },
  ],
]

function takeTable(
  { tables }: Objects,
  [head, unlogged, name = '']: RegExpMatchArray,
  statement: string,
): void {
  const table = { isUnlogged: unlogged !== undefined, columns: new Map(), constraints: new Map() }
  tables.set(name, table)
  const rest = statement.slice(head.length).trimStart()
  // CREATE TABLE … PARTITION OF lists no columns, because a partition has those of its table.
  if (!rest.startsWith('(')) return
  for (const entry of parts(inParentheses(rest))) takeEntry(table, name, entry)
}

function alterTable(
  { tables }: Objects,
  [head, name = '']: RegExpMatchArray,
  statement: string,
): void {
  const table = tables.get(name)
  if (table === undefined) return
  for (const part of parts(statement.slice(head.length))) {
    const added = part.match(/^add (?:column )?(?:if not exists )?([\s\S]+)$/)?.[1]
    const dropped = part.match(/^drop (?:column|constraint) (?:if exists )?(\w+)/)?.[1]
    if (added !== undefined) takeEntry(table, name, added)
    if (dropped !== undefined) {
      table.columns.delete(dropped)
      table.constraints.delete(dropped)
    }
  }
}

function takeEntry(
  table: { columns: Map<string, string>; constraints: Map<string, string> },
  name: string,
  entry: string,
): void {
  const named = entry.match(/^constraint (\w+)\s/)?.[1]
  if (named !== undefined) {
    table.constraints.set(named, entry)
    return
  }
  const first = entry.match(/^\w+/)?.[0] ?? ''
  if (first === 'primary') table.constraints.set(`${name}_pkey`, entry)
  if (NO_COLUMN.has(first)) return
  table.columns.set(first, entry)
  if (/\bprimary key\b/.test(entry)) table.constraints.set(`${name}_pkey`, `primary key (${first})`)
}

function takeFunction(
  { functions }: Objects,
  [, name = '']: RegExpMatchArray,
  statement: string,
): void {
  const body = statement.match(/\bas (\$\w*\$)([\s\S]*?)\1/)?.[2]
  if (body === undefined) return
  const anew = statement.replace(/^create (?:or replace )?function/, 'create or replace function')
  functions.set(name, { body, statement: `${anew};` })
}

/** The text between the first parenthesis and the one that closes it. */
function inParentheses(text: string): string {
  let depth = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1
    if (text[at] === ')') depth -= 1
    if (depth === 0) return text.slice(1, at)
  }
  return text
}

/** Splits the text at the commas that are outside of all parentheses. */
function parts(text: string): string[] {
  const cut: string[] = []
  let depth = 0
  let from = 0
  for (let at = 0; at < text.length; at += 1) {
    if (text[at] === '(') depth += 1
    if (text[at] === ')') depth -= 1
    if (text[at] !== ',' || depth > 0) continue
    cut.push(text.slice(from, at))
    from = at + 1
  }
  return [...cut, text.slice(from)].map((part) => part.trim().replaceAll(/\s+/g, ' '))
}

const NO_COLUMN = new Set([
  'constraint',
  'primary',
  'unique',
  'check',
  'foreign',
  'exclude',
  'like',
])
