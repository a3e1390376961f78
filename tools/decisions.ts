import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readTree, staleFiles, type TextFile } from './text-files.ts'

const FOLDER = 'docs/decisions'
const RECORD = /^(\d{4})-[a-z0-9-]+\.md$/
const SECTIONS = ['Context', 'Decision', 'Consequences']

export interface Decision {
  readonly number: string
  readonly file: string
  readonly title: string
  /** The first sentence of the section Decision. */
  readonly summary: string
  /** "current", or which later record amends or supersedes this one. */
  readonly status: string
}

/** Every breach of the format of a record, one sentence for each. */
export function formatFaults({ path, text }: TextFile): string[] {
  const file = path.slice(FOLDER.length + 1)
  const number = RECORD.exec(file)?.[1]
  if (number === undefined) return [`${path}: name it NNNN-words-of-the-title.md`]
  const faults: string[] = []
  if (!new RegExp(`^# ${number}\\. \\S`).test(text)) {
    faults.push(`${path}: the first line must be "# ${number}. Statement"`)
  }
  const found = [...text.matchAll(/^\*\*(\w+)\.\*\*/gm)].map(([, name]) => name as string)
  const sections = found.filter((name) => SECTIONS.includes(name))
  if (sections.join() !== SECTIONS.join()) {
    faults.push(`${path}: write **Context.**, **Decision.** and **Consequences.**, once each`)
  }
  return faults
}

export function readDecision({ path, text }: TextFile): Decision {
  const later = /^\*\*(Amended|Superseded) by\.\*\* \[(\d{4})\]/m.exec(text)
  const decided = /^\*\*Decision\.\*\*\s+([\s\S]*?)(?=\n\n|$(?![\s\S]))/m.exec(text)?.[1] ?? ''
  const sentence = decided.replace(/\s+/g, ' ').split(/(?<=[^.][.:]) (?=[A-Z`*])/)[0] ?? ''
  return {
    number: path.slice(FOLDER.length + 1, FOLDER.length + 5),
    file: path.slice(FOLDER.length + 1),
    title: /^# \d{4}\. (.*)$/m.exec(text)?.[1] ?? '',
    summary: sentence.replace(/:$/, '.').replace(/\[([^\]]*)\]\([^)]*\)/g, '$1'),
    status: later ? `${later[1]?.toLowerCase()} by ${later[2]}` : 'current',
  }
}

/** The numbers that a text cites: "decision 114", "decisions 0070 and 0072", "0114-….md". */
export function citedNumbers(text: string): string[] {
  const named = [...text.matchAll(/\bdecisions? (\d{1,4}\b(?:(?:,| and|, and) \d{1,4}\b)*)/gi)]
  const linked = [...text.matchAll(/(?:decisions\/|\]\()(\d{4})-[a-z0-9-]+\.md/g)]
  const numbers = [
    ...named.flatMap(([, list]) => (list as string).match(/\d+/g) ?? []),
    ...linked.map(([, number]) => number as string),
  ]
  return [...new Set(numbers.map((number) => number.padStart(4, '0')))]
}

/** The page that lists all decisions, with the pages and packages that cite each. */
export function renderIndex(files: readonly TextFile[]): string {
  const citations = new Map<string, Set<string>>()
  for (const { path, text } of files) {
    if (path === `${FOLDER}/README.md` || path.startsWith('tools/')) continue
    const source = path.startsWith(`${FOLDER}/`)
      ? path.slice(FOLDER.length + 1, FOLDER.length + 5)
      : (/^(packages|tests|examples|benchmarks)\/[^/]+/.exec(path)?.[0] ?? path)
    for (const number of citedNumbers(text)) {
      if (number === source) continue
      citations.set(number, (citations.get(number) ?? new Set()).add(source))
    }
  }
  const rows = files.filter(isRecord).map((file) => {
    const { number, file: name, title, summary, status } = readDecision(file)
    const cited = [...(citations.get(number) ?? [])].sort().join(', ')
    const cells = [`[${number}](${name})`, title, summary, status, cited]
    return `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`
  })
  return [
    '# Decisions',
    '',
    'Why things are as they are, where somebody may question it. Each record gives its context, the',
    'decision and the consequences. Where a later record changes an earlier one, the column *status*',
    'of the earlier names it.',
    '',
    'Numbers were given out in blocks, one for each line of work, so a number that is missing was never',
    'used.',
    '',
    'This page is generated: `npx -y pnpm@12 decisions` writes it, and `lint` fails when it is stale.',
    '',
    '| number | title | what was decided | status | cited by |',
    '|---|---|---|---|---|',
    ...rows,
    '',
  ].join('\n')
}

/**
 * Every fault of the records and of their index, including citations of records that do not exist.
 */
export function findDecisionFaults(files: readonly TextFile[]): string[] {
  const records = files.filter(isRecord)
  const numbers = records.map(({ path }) => path.slice(FOLDER.length + 1, FOLDER.length + 5))
  const twice = numbers.filter((number, at) => numbers.indexOf(number) !== at)
  const names = new Set(records.map(({ path }) => path.slice(FOLDER.length + 1)))
  const dangling = files
    .filter(({ path }) => !path.startsWith('tools/'))
    .flatMap(({ path, text }) => [
      ...citedNumbers(text)
        .filter((number) => !numbers.includes(number))
        .map((number) => `${path}: cites decision ${number}, which does not exist`),
      ...[...text.matchAll(/decisions\/(\d{4}-[a-z0-9-]+\.md)/g)]
        .filter(([, name]) => !names.has(name as string))
        .map(([, name]) => `${path}: links to decisions/${name}, which does not exist`),
    ])
  const index = `${FOLDER}/README.md`
  return [
    ...records.flatMap(formatFaults),
    ...twice.map((number) => `${FOLDER}: two records have the number ${number}`),
    ...dangling,
    ...staleFiles(
      [{ path: index, text: renderIndex(files) }],
      files.filter(({ path }) => path === index),
      'decisions',
    ),
  ]
}

function isRecord({ path }: TextFile): boolean {
  return path.startsWith(`${FOLDER}/`) && path !== `${FOLDER}/README.md`
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  writeFileSync(join(FOLDER, 'README.md'), renderIndex(readTree('.')))
}
