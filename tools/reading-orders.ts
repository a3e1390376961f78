import { existsSync, readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import { parseSync, type StaticImportEntry } from 'oxc-parser'

/**
 * A reading order of ARCHITECTURE.md, or the answer to one of its questions: a section whose title
 * says the number of steps, with the source files that each step names.
 */
export interface ReadingOrder {
  readonly title: string
  readonly steps: readonly (readonly string[])[]
}

export function readingOrdersIn(page: string): ReadingOrder[] {
  return page
    .split(/^##+ /m)
    .filter((section) => /^.+, in \w+ steps?\n/.test(section))
    .map((section) => {
      const [title = '', ...rest] = section.split('\n')
      const list = rest.filter((line) => /^(\d+\.| {3}) ?\S/.test(line)).join('\n')
      const steps = list.split(/^\d+\./m).slice(1)
      return { title, steps: steps.map(filesIn) }
    })
}

/** Returns every path of the repository that the page names and that does not exist. */
export function findMissingPaths(page: string, root: string): string[] {
  const named = page.matchAll(/`((?:packages|tests|docs|tools)\/[\w./-]+)`/g)
  return [...new Set([...named].map(([, path]) => path as string))].filter(
    (path) => !existsSync(join(root, path)),
  )
}

function filesIn(step: string): string[] {
  return [...step.matchAll(/`(packages\/[\w./-]+\.ts)`/g)].map(([, path]) => path as string)
}

/**
 * Finds the places where a reader would be lost: a file that is missing, or to which no file that
 * is named in its step or earlier leads. A file leads to the files that it imports, to those whose
 * SQL function it calls, and to those that import it, as a store imports its contract.
 */
export function findGaps({ title, steps }: ReadingOrder, root: string): string[] {
  const said = /in (\w+) steps?$/.exec(title)?.[1]
  const gaps = said === COUNTS[steps.length] ? [] : [`${title}: has ${steps.length} steps`]
  const missing = steps.flat().filter((file) => !existsSync(join(root, file)))
  if (missing.length > 0) return missing.map((file) => `${title}: ${file} is not there`)
  const reached: Source[] = []
  for (const step of steps) {
    const open = new Set(step.map((path) => sourceOf(path, root)))
    const next = () => [...open].find((each) => isLedTo(each, reached))
    for (let source = next(); source !== undefined; source = next()) {
      open.delete(source)
      reached.push(source)
    }
    gaps.push(...[...open].map(({ path }) => `${title}: nothing before ${path} leads to it`))
    reached.push(...open)
  }
  return gaps
}

function isLedTo({ path, imports, sqlFunction }: Source, reached: readonly Source[]): boolean {
  if (reached.length === 0) return true
  return reached.some(
    (from) =>
      from.path === path ||
      from.imports.has(path) ||
      imports.has(from.path) ||
      (sqlFunction !== undefined && from.text.includes(`.${sqlFunction}(`)),
  )
}

const COUNTS = ['no', 'one', 'two', 'three', 'four', 'five', 'six', 'seven', 'eight', 'nine', 'ten']

interface Source {
  readonly path: string
  readonly text: string
  readonly imports: ReadonlySet<string>
  /** The function of the database that the file defines. */
  readonly sqlFunction: string | undefined
}

function sourceOf(file: string, root: string): Source {
  const text = readFileSync(join(root, file), 'utf8')
  const imports = parseSync(file, text).module.staticImports.flatMap(
    ({ moduleRequest, entries }) =>
      moduleRequest.value.startsWith('.')
        ? [normalize(join(dirname(file), moduleRequest.value))]
        : importedFrom(moduleRequest.value, entries, root),
  )
  const sqlFunction = /create (?:or replace )?function \$\{\w+\}\.(\w+)\(/.exec(text)?.[1]
  return { path: file, text, imports: new Set(imports), sqlFunction }
}

/** The files that define the given names, found through the entry of one of our packages. */
function importedFrom(
  specifier: string,
  entries: readonly StaticImportEntry[],
  root: string,
): string[] {
  const [, name, entry = 'index'] = /^@oncekey\/([a-z]+)(?:\/(.+))?$/.exec(specifier) ?? []
  const path = `packages/${name}/src/${entry}.ts`
  if (name === undefined || !existsSync(join(root, path))) return []
  const names = new Set(entries.map(({ importName }) => importName.name))
  return parseSync(path, readFileSync(join(root, path), 'utf8'))
    .module.staticExports.flatMap((each) => each.entries)
    .filter(({ moduleRequest, exportName }) => moduleRequest && names.has(exportName.name))
    .map(({ moduleRequest }) => normalize(join(dirname(path), moduleRequest?.value ?? '')))
}
