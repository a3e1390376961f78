import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { isProblemCode, problem } from '../packages/core/src/response/problem.ts'
import { staleFiles, type TextFile } from './text-files.ts'
import { wrapProse } from './wrap-prose.ts'

const TABLE = 'docs/errors.md'
const FOLDER = 'docs/errors'

/** What clients may do, by the problem's `retry`. */
const ADVICE: Readonly<Record<string, string>> = {
  'same-key': 'send the same request again, with the same key',
  'new-key': 'start over with a new key',
  never: 'give up: neither the same key nor a new one helps',
}

/** Where the advice is not for good. */
const ADVICE_OF_CODE: Readonly<Record<string, string>> = {
  'outcome-unknown': 'stop: until an operator has acted, neither the same key nor a new one helps',
}

interface Row {
  readonly code: string
  readonly where: string
  readonly meaning: string
  readonly todo: string
}

/**
 * Renders a page for each row of the table in `docs/errors.md`. The `type` of a problem leads to it
 * if `docsUrl` ends with a slash.
 */
export function renderErrorPages(table: string): TextFile[] {
  return rowsOf(table).map((row) => ({ path: `${FOLDER}/${row.code}.md`, text: renderPage(row) }))
}

/** Pages that are missing or stale, or whose code is not in the table. */
export function findErrorPageFaults(files: readonly TextFile[]): string[] {
  const table = files.find(({ path }) => path === TABLE)?.text ?? ''
  const present = files.filter(({ path }) => path.startsWith(`${FOLDER}/`))
  return staleFiles(renderErrorPages(table), present, 'errors')
}

function rowsOf(table: string): Row[] {
  return table
    .split('\n')
    .filter((line) => line.startsWith('| <a id='))
    .map((line) => {
      const [code = '', ...cells] = line.split(/(?<!\\)\|/).slice(1, -1)
      const [where = '', meaning = '', todo = ''] = cells.map((cell) => cell.trim())
      return { code: /`([a-z-]+)`/.exec(code)?.[1] ?? '', where, meaning, todo }
    })
}

function renderPage({ code, where, meaning, todo }: Row): string {
  return `${[
    `# \`${code}\``,
    wrapProse(fromFolder(meaning)),
    isProblemCode(code) ? wire(code) : wrapProse(`It is ${fromFolder(where)}.${overHttp(where)}`),
    '## What to do',
    ...byRole(fromFolder(todo)).map(wrapProse),
    `[All errors](../errors.md#${code})`,
  ].join('\n\n')}\n`
}

/** What a client gets of an error that a request throws. */
function overHttp(where: string): string {
  if (!/by a request/.test(where)) return ''
  return " Over HTTP it reaches the framework's own error handling, normally as a 500."
}

/** The response as the client gets it. */
function wire(code: Parameters<typeof problem>[0]): string {
  const { status, headers, body } = problem(code, '…', { docsUrl: undefined })
  const members = JSON.parse(new TextDecoder().decode(body))
  const lines = headers.flatMap(([name, value]) => (value === null ? [] : [`${name}: ${value}`]))
  return [
    '```http',
    `HTTP/1.1 ${status}`,
    ...lines,
    '',
    JSON.stringify(members, undefined, 2),
    '```',
    '',
    wrapProse(
      `\`retry\` tells the client to ${ADVICE_OF_CODE[code] ?? ADVICE[members.retry]}. \`detail\` is a sentence for people; ` +
        "`type` is this page's address where `docsUrl` is set.",
    ),
  ].join('\n')
}

/** Splits "Client: …. Server: …." into a paragraph for each role. */
function byRole(text: string): string[] {
  return text.split(/(?<=\.) (?=(?:Client|Server|Sender|Receiver|Operator|Customer)\b[^.:]*:)/)
}

/** Adapts the links, because the table is one folder above the pages. */
function fromFolder(text: string): string {
  return text.replaceAll('\\|', '|').replace(/\]\((?![a-z]+:|#)/g, '](../')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const pages = renderErrorPages(readFileSync(TABLE, 'utf8'))
  mkdirSync(FOLDER, { recursive: true })
  for (const name of readdirSync(FOLDER)) rmSync(join(FOLDER, name))
  for (const { path, text } of pages) writeFileSync(path, text)
}
