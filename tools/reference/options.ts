import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiSurface, type Declared } from '../api-surface.ts'
import { wrapProse } from '../wrap-prose.ts'
import { type InterfaceDocs, interfaceDocs, type Member } from './interface-docs.ts'
import { code, head, table } from './table.ts'

interface Found {
  readonly name: string
  /** The first entry of the package from which the options can be reached. */
  readonly entry: string
  readonly docs: InterfaceDocs
  /** The functions that take the options, each with the entry that exports it. */
  readonly takers: readonly string[]
}

/** Every option that a user of the packages may write, by package. */
export function renderOptions(root: string): string {
  const sections = readdirSync(join(root, 'packages')).flatMap((folder) => {
    const found = optionsOf(join(root, 'packages', folder))
    if (found.length === 0) return []
    const { name } = manifestOf(join(root, 'packages', folder))
    const isAlone = ({ name: own }: Found) => found.filter((one) => one.name === own).length === 1
    return [
      `## ${name}`,
      ...found.flatMap((one) =>
        section(one, isAlone(one) ? one.name : `${one.name} of ${one.entry}`),
      ),
    ]
  })
  return `${[
    head(
      'Options',
      wrapProse(
        'Every option of every function that is configured. Times are milliseconds where the name ' +
          'ends in `Ms`, sizes are bytes where it ends in `Bytes`. All are checked when the function ' +
          'is called: a wrong one throws an `OptionsError` that says what to write instead.',
      ),
    ),
    ...sections,
  ].join('\n\n')}\n`
}

function section({ docs, takers }: Found, title: string): string[] {
  const parents = docs.parents.filter((parent) => !parent.startsWith('Omit<'))
  const also =
    parents.length === 0 ? '' : `Beside its own it takes ${parents.map(inherited).join(', ')}.`
  const of = takers.length === 0 ? '' : `Of ${takers.join(', ')}.`
  const said = [docs.text, of, also].filter((text) => text !== '').join(' ')
  return [
    `### ${title}`,
    ...(said === '' ? [] : [wrapProse(said)]),
    ...(docs.members.length === 0
      ? []
      : [table(['option', 'type', 'default', ''], docs.members.map(row))]),
  ]
}

function row({ name, type, isOptional, byDefault, text }: Member): string[] {
  const fallback = byDefault ?? (isOptional ? 'none' : 'required')
  return [code(name), code(type), isValue(fallback) ? code(fallback) : fallback, text]
}

/** Whether a default is a value as one would write it, and not a description. */
const isValue = (text: string): boolean => /^(-?[\d_.]+|'[^']*'|\[.*\]|true|false)$/.test(text)

/** What a parent of an interface adds: all of its options, or those that `Pick` names. */
function inherited(parent: string): string {
  const [, whole = '', names] = /^Pick<\s*(\w+)[^,]*,(.*)>$/.exec(parent) ?? []
  if (names === undefined) return `those of ${code(parent)}`
  const picked = [...names.matchAll(/'(\w+)'/g)].map(([, name = '']) => code(name))
  return `${picked.join(', ')} of ${code(whole)}`
}

function optionsOf(folder: string): Found[] {
  const { name, exports } = manifestOf(folder)
  const entries = Object.entries(exports).filter(([, file]) => file.endsWith('.ts'))
  const declared = entries.flatMap(([subpath, file]) =>
    apiSurface(join(folder, file)).map((one) => ({ ...one, entry: `${name}${subpath.slice(1)}` })),
  )
  const shown = declared.filter(isOptions)
  const places = [...new Set(shown.map(placeOf))].sort()
  return places.flatMap((place) => {
    const same = shown.filter((one) => placeOf(one) === place)
    const [{ file, name: optionsName }] = same as [Entered]
    const docs = interfaceDocs(file, optionsName)
    if (docs === undefined || docs.members.length + docs.parents.length === 0) return []
    const entries = new Set(same.map(({ entry }) => entry))
    const takers = takersOf(declared, optionsName, entries)
    return [{ name: optionsName, entry: same[0]?.entry ?? '', docs, takers }]
  })
}

type Entered = Declared & { readonly entry: string }

const placeOf = ({ name, file }: Declared): string => `${name} ${file}`

/** Options that the store passes to a bridge; users do not write them. */
const OF_BRIDGES: ReadonlySet<string> = new Set(['BeginOptions', 'QueryOptions'])

/** Interfaces of options that are exported, and those that exported ones extend. */
function isOptions({ name, text, isExported }: Declared): boolean {
  if (!/^(export )?interface /.test(text) || /^Resolved/.test(name) || OF_BRIDGES.has(name)) {
    return false
  }
  return isExported ? /(Options|Settings|Sources)$/.test(name) : /Settings$/.test(name)
}

function takersOf(
  declared: readonly Entered[],
  name: string,
  entries: ReadonlySet<string>,
): string[] {
  const takes = new RegExp(`\\b${name}\\b`)
  const functions = declared.filter(
    ({ text, isExported, entry }) =>
      isExported && entries.has(entry) && /\bfunction /.test(text) && takes.test(text),
  )
  return [
    ...new Set(functions.map(({ name: taker, entry }) => `\`${taker}()\` of \`${entry}\``)),
  ].sort()
}

function manifestOf(folder: string): { name: string; exports: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
