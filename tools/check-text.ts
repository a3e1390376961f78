import { pathToFileURL } from 'node:url'
import { findDecisionFaults } from './decisions.ts'
import { findErrorPageFaults } from './error-pages.ts'
import { readTree, type TextFile } from './text-files.ts'

const COLUMNS = 100
const LINES = 320
/** A folder that Prisma writes. */
const OF_PRISMA = 'packages/postgres/test/bridges/prisma/generated/'
/** Files that a program writes. */
const GENERATED = ['docs/matrix.md', 'docs/decisions/README.md', 'examples/described/src/api.d.ts']

/**
 * Every breach of the rules for text: conflict markers, long lines and files, dead paths, names of
 * tests.
 */
export function findTextFaults(files: readonly TextFile[]): string[] {
  const paths = new Set(files.map(({ path }) => path))
  const written = files.filter(({ path }) => !path.startsWith(OF_PRISMA))
  return written.flatMap((file) => [
    ...(file.path.endsWith('.md') ? deadPaths(file, paths) : []),
    ...conflictMarkers(file),
    ...(file.path.endsWith('.md') && !GENERATED.includes(file.path) ? longLines(file) : []),
    ...(/\.tsx?$/.test(file.path) && !GENERATED.includes(file.path) ? longComments(file) : []),
    ...(/\.(tsx?|mts|lua)$/.test(file.path) ? longFile(file) : []),
    ...(/\.(test|test-d)\.tsx?$/.test(file.path) ? secondNameOfTests(file) : []),
  ])
}

/** Does not look for `=======` alone: in Markdown it underlines a heading. */
function conflictMarkers({ path, text }: TextFile): string[] {
  if (!text.includes('<<<<<<< ') && !text.includes('>>>>>>> ')) return []
  return numbered(text)
    .filter(([line]) => line.startsWith('<<<<<<< ') || line.startsWith('>>>>>>> '))
    .map(([, number]) => `${path}:${number}: a conflict marker`)
}

/** Tables, code blocks and lines that only a link's address makes long are exempt. */
function longLines({ path, text }: TextFile): string[] {
  let inCode = false
  const faults: string[] = []
  for (const [line, number] of numbered(text)) {
    if (/^\s*(```|~~~)/.test(line)) inCode = !inCode
    if (inCode || line.length <= COLUMNS || line.startsWith('|')) continue
    const withoutAddresses = line.replace(/\]\([^)]*\)/g, ']').replace(/https?:\S+/g, '')
    if (withoutAddresses.length <= COLUMNS) continue
    faults.push(`${path}:${number}: ${line.length} columns; prose has ${COLUMNS} at most`)
  }
  return faults
}

/** A file with more lines is too long to keep in mind, and usually has several subjects. */
function longFile({ path, text }: TextFile): string[] {
  const count = text.trimEnd().split('\n').length
  if (count <= LINES) return []
  return [`${path}: ${count} lines; a file has ${LINES} at most: split it by subject`]
}

/** Examples, tables, diagrams, directives and addresses are exempt, and so are template strings. */
function longComments({ path, text }: TextFile): string[] {
  let inCode = false
  let inTemplate = false
  const faults: string[] = []
  for (const [line, number] of numbered(text)) {
    const backticks = line.replaceAll('\\`', '').split('`').length - 1
    if (inTemplate || !/^\s*(?:\/[/*]|\*)/.test(line)) {
      if (backticks % 2 === 1) inTemplate = !inTemplate
      inCode = false
      continue
    }
    const comment = line.match(/^\s*(?:\/\/|\/\*\*?|\*) ?(.*)$/)?.[1]
    if (comment === undefined) continue
    if (comment.startsWith('```')) inCode = !inCode
    if (inCode || line.length <= COLUMNS || /^(\||biome-ignore )|──/.test(comment)) continue
    if (line.replace(/https?:\S+/g, '').length <= COLUMNS) continue
    faults.push(`${path}:${number}: ${line.length} columns; comments have ${COLUMNS} at most`)
  }
  return faults
}

/** Finds paths of packages, tests, examples and tools that a page names and that do not exist. */
function deadPaths({ path, text }: TextFile, paths: ReadonlySet<string>): string[] {
  return [...text.matchAll(/`((?:packages|tests|examples|tools)\/[\w./-]+\.(?:ts|sh|md))`/g)]
    .map(([, named]) => named as string)
    .filter((named) => !paths.has(named))
    .map((named) => `${path}: names ${named}, which is not there`)
}

function secondNameOfTests({ path, text }: TextFile): string[] {
  return /^import \{[^}]*\bit\b[^}]*\} from 'vitest'/m.test(text)
    ? [`${path}: imports \`it\` from vitest; call every test \`test\``]
    : []
}

function numbered(text: string): [line: string, number: number][] {
  return text.split('\n').map((line, at) => [line, at + 1])
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const files = readTree('.')
  const faults = [
    ...findTextFaults(files),
    ...findDecisionFaults(files),
    ...findErrorPageFaults(files),
  ]
  for (const fault of faults) console.error(fault)
  process.exitCode = faults.length === 0 ? 0 : 1
}
