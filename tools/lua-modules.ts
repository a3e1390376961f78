import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { basename, dirname, join, relative } from 'node:path'
import { pathToFileURL } from 'node:url'
import { readTree, staleFiles, type TextFile } from './text-files.ts'

const COLUMNS = 100
const MODULE = 'lua.ts'
const HEAD = '// Written by `npx -y pnpm@12 lua` from the .lua files of this folder: change those.'

/**
 * Renders the module `lua.ts` of each folder with `.lua` files. It has a constant for each file,
 * with the text that Redis gets, which has no comments. Two kinds of lines of a `.lua` file mean
 * something to this tool:
 *
 * - `-- @include ../cursor.lua` is replaced by the text of that file.
 * - `-- @use ENDED_CHANNEL from ../record/endings.ts` imports a constant from TypeScript, which the
 *   file then names within quotes: `'${ENDED_CHANNEL}'`.
 *
 * The texts are in modules because a package that reads files at run time cannot be bundled.
 */
export function renderLuaModules(files: readonly TextFile[]): TextFile[] {
  const sources = files.filter(isLua)
  const folders = [...new Set(sources.map(({ path }) => dirname(path)))].sort()
  return folders.map((folder) => ({
    path: join(folder, MODULE),
    text: renderModule(
      folder,
      sources.filter(({ path }) => dirname(path) === folder),
    ),
  }))
}

/** Modules that are missing or stale, and errors in `.lua` files of which no module can be made. */
export function findLuaFaults(files: readonly TextFile[]): string[] {
  const texts = new Map(files.map(({ path, text }) => [path, text]))
  const faults = files.filter(isLua).flatMap((file) => faultsOf(file, texts))
  if (faults.length > 0) return faults
  const wanted = renderLuaModules(files)
  const paths = new Set(wanted.map(({ path }) => path))
  const orphans = files.filter(({ path, text }) => text.startsWith(HEAD) && !paths.has(path))
  return [
    ...staleFiles(
      wanted,
      files.filter(({ path }) => paths.has(path)),
      'lua',
    ),
    ...orphans.map(({ path }) => `${path}: there is no .lua file beside it; delete it`),
  ]
}

function faultsOf({ path, text }: TextFile, files: ReadonlyMap<string, string>): string[] {
  const used = usesIn(text).flatMap(({ names }) => names)
  return [
    ...includesIn(text)
      .map((target) => join(dirname(path), target))
      .filter((target) => !files.has(target))
      .map((target) => `${path}: includes ${target}, which is not there`),
    ...[...text.matchAll(/\$\{(\w+)\}/g)]
      .map(([, name]) => name as string)
      .filter((name) => !used.includes(name))
      .map((name) => `${path}: names ${name} without "-- @use ${name} from …"`),
    ...text
      .split('\n')
      .flatMap((line, at) => [
        ...(line.length > COLUMNS ? [`${path}:${at + 1}: ${line.length} columns`] : []),
        ...(/\[=*\[/.test(line)
          ? [`${path}:${at + 1}: long brackets are not understood here`]
          : []),
      ]),
  ]
}

function renderModule(folder: string, sources: readonly TextFile[]): string {
  const imports = new Map<string, Set<string>>()
  const note = (from: string, name: string) =>
    imports.set(from, (imports.get(from) ?? new Set()).add(name))
  for (const { text } of sources) {
    for (const { names, from } of usesIn(text)) for (const name of names) note(local(from), name)
    for (const target of includesIn(text)) {
      const module = local(join(dirname(target), MODULE))
      if (module !== `./${MODULE}`) note(module, constantOf(target))
    }
  }
  return [
    HEAD,
    ...[...imports]
      .sort(([one], [other]) => depth(other) - depth(one) || (one < other ? -1 : 1))
      .map(([from, names]) => `import { ${[...names].sort().join(', ')} } from '${from}'`),
    ...inOrder(folder, sources).map(
      ({ path, text }) =>
        `\n/** \`${basename(path)}\` */\nexport const ${constantOf(path)}: string = \`\n${body(text)}\``,
    ),
    '',
  ].join('\n')
}

/** Orders the files so that a file comes after those that it includes. */
function inOrder(folder: string, sources: readonly TextFile[]): TextFile[] {
  const done = new Set<TextFile>()
  const visit = (file: TextFile, above: readonly TextFile[]): void => {
    if (done.has(file)) return
    if (above.includes(file)) throw new Error(`${file.path} includes itself`)
    for (const target of includesIn(file.text)) {
      const path = join(folder, target)
      const included = sources.find((each) => each.path === path)
      if (included !== undefined) visit(included, [...above, file])
    }
    done.add(file)
  }
  for (const file of sources) visit(file, [])
  return [...done]
}

/** The text of a `.lua` file as the inside of a template string. */
function body(text: string): string {
  return text
    .replaceAll('\\', '\\\\')
    .replaceAll('`', '\\`')
    .replace(INCLUDE, (_, target) => `\${${constantOf(target)}}`)
    .split('\n')
    .filter((line) => !/^\s*(--.*)?$/.test(line))
    .map((line) => `${line}\n`)
    .join('')
}

const INCLUDE = /^ *-- @include (\S+)$/gm

function includesIn(text: string): string[] {
  return [...text.matchAll(INCLUDE)].map(([, target]) => target as string)
}

function usesIn(text: string): { names: string[]; from: string }[] {
  return [...text.matchAll(/^-- @use (.+) from (\S+)$/gm)].map(([, names, from]) => ({
    names: (names as string).split(', '),
    from: from as string,
  }))
}

/** `../each-dead.lua` as `eachDeadLua`. */
function constantOf(path: string): string {
  const name = basename(path, '.lua').replace(/-(\w)/g, (_, letter) => letter.toUpperCase())
  return `${name}Lua`
}

function local(path: string): string {
  const from = relative('.', path)
  return from.startsWith('.') ? from : `./${from}`
}

function depth(from: string): number {
  return from.split('../').length
}

function isLua({ path }: TextFile): boolean {
  return path.endsWith('.lua')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const files = readTree('.')
  if (process.argv.includes('--check')) {
    const faults = findLuaFaults(files)
    for (const fault of faults) console.error(fault)
    process.exitCode = faults.length === 0 ? 0 : 1
  } else {
    for (const { path, text } of renderLuaModules(files)) {
      if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFileSync(path, text)
    }
  }
}
