import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiSurface, type Declared } from '../api-surface.ts'
import { wrapProse } from '../wrap-prose.ts'
import { aliasDocs, type InterfaceDocs, interfaceDocs, type Member } from './interface-docs.ts'
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
    const types = typesOf(join(root, 'packages', folder), found)
    const isAlone = ({ name: own }: Found) => found.filter((one) => one.name === own).length === 1
    return [
      `## ${name}`,
      ...found.flatMap((one) =>
        section(one, isAlone(one) ? one.name : `${one.name} of ${one.entry}`),
      ),
      ...(types.length === 0
        ? []
        : [`### Types of ${name}`, table(['type', 'is', ''], types.map(typeRow))]),
    ]
  })
  return `${[
    head(
      'Options',
      wrapProse(
        'Every option of every function that is configured, and what calls take: filters, events, ' +
          'the steps of a saga. Times are milliseconds where the name ends in `Ms`, sizes are bytes ' +
          'where it ends in `Bytes`. What a type such as `Authenticate` stands for is at the end of the ' +
          'package that exports it. All are checked when the function is called: a wrong one throws ' +
          'an `OptionsError` that says what to write instead.',
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

interface Alias {
  readonly name: string
  readonly type: string
  readonly text: string
}

const typeRow = ({ name, type, text }: Alias): string[] => [code(name), code(type), text]

/** The types that options name, and those that these name in turn, if they are no interfaces. */
function typesOf(folder: string, found: readonly Found[]): Alias[] {
  const { exports } = manifestOf(folder)
  const files = Object.values(exports).filter((file) => file.endsWith('.ts'))
  const declared = files.flatMap((file) => apiSurface(join(folder, file)))
  const aliases = new Map(
    declared.flatMap(({ file, name, text }) => {
      const docs = /^export (declare )?type /.test(text) ? aliasDocs(file, name) : undefined
      return docs === undefined ? [] : [[name, { name, ...docs }] as const]
    }),
  )
  const named = new Set<Alias>()
  const add = (text: string): void => {
    for (const alias of aliases.values()) {
      if (named.has(alias) || !names(text, alias.name)) continue
      named.add(alias)
      add(alias.type)
    }
  }
  for (const { docs } of found) for (const { type } of docs.members) add(type)
  return [...named].sort((one, other) => (one.name < other.name ? -1 : 1))
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
  const documented = new Map<string, InterfaceDocs | undefined>()
  const docsOf = (one: Declared): InterfaceDocs | undefined => {
    const place = placeOf(one)
    if (!documented.has(place)) documented.set(place, interfaceDocs(one.file, one.name))
    return documented.get(place)
  }
  const written = declared.filter((one) => isOptions(one, docsOf(one), declared))
  const parents = new Set(written.flatMap((one) => docsOf(one)?.parents ?? []))
  const isParent = (one: Declared) =>
    /^(export )?interface /.test(one.text) &&
    !NOT_OF_USERS.has(one.name) &&
    [...parents].some((parent) => names(parent, one.name))
  const shown = declared.filter((one) => written.includes(one) || isParent(one))
  const members = (of: string): string[] => {
    const holders = new Map(shown.map((one) => [one.name, docsOf(one)]))
    return [...holders].flatMap(([holder, docs]) =>
      (docs?.members ?? [])
        .filter(({ type }) => holder !== of && names(type, of))
        .map((member) => `\`${member.name}\` of \`${holder}\``),
    )
  }
  const places = [...new Set(shown.map(placeOf))].sort()
  return places.flatMap((place) => {
    const same = shown.filter((one) => placeOf(one) === place)
    const [first] = same as [Entered]
    const docs = docsOf(first)
    if (docs === undefined || docs.members.length + docs.parents.length === 0) return []
    const entries = new Set(same.map(({ entry }) => entry))
    const called = takersOf(declared, first.name, entries)
    const takers = called.length === 0 ? members(first.name) : called
    return [{ name: first.name, entry: first.entry, docs, takers }]
  })
}

type Entered = Declared & { readonly entry: string }

const placeOf = ({ name, file }: Declared): string => `${name} ${file}`

const names = (text: string, name: string): boolean => new RegExp(`\\b${name}\\b`).test(text)

/** Interfaces that look like options, and are not written by users: who writes them. */
const NOT_OF_USERS: ReadonlySet<string> = new Set([
  // The engine and the relay, to a store or a log.
  ...['BeginOptions', 'LeaseRequest', 'QueryOptions', 'ReadRequest', 'Statement'],
  ...['TakeDue', 'TakeIn', 'Tries'],
  // The author of an adapter, a store, a bridge or a package with tables.
  ...['AdapterBehaviour', 'BodyReading', 'CallbackDriver', 'Covering', 'EngineRequest'],
  ...['FingerprintInput', 'Insisting', 'PackageMigrations', 'TableComment'],
  // A framework or a driver.
  ...['KoaContext', 'NodeRequest', 'PgliteDatabase', 'PostgresJs', 'RabbitReturn'],
  // `receiveWebhook()`, to the route whose options they are.
  'WebhookReceiverOptions',
  // `saga()`, with what its builder was given.
  'Saga',
  // The application under test, to a suite.
  'Reply',
])

/** Interfaces that look like what a user is given, and may be written by one. */
const OF_USERS: ReadonlySet<string> = new Set(['WebhookSender'])

/**
 * Interfaces that a user writes: those named so, which others may extend, and every exported one
 * with a member that may be left out, if a function or a method takes it or its members have
 * defaults. A new one is on the page unless somebody else writes it.
 */
function isOptions(
  { name, text, isExported }: Declared,
  docs: InterfaceDocs | undefined,
  declared: readonly Declared[],
): boolean {
  if (!/^(export )?interface /.test(text) || /^Resolved/.test(name) || NOT_OF_USERS.has(name)) {
    return false
  }
  if (!isExported) return /Settings$/.test(name)
  if (/(Options|Settings|Sources)$/.test(name) || OF_USERS.has(name)) return true
  const left = docs?.members.filter(({ isOptional, isMethod }) => isOptional && !isMethod) ?? []
  if (left.length === 0) return false
  return left.some(({ byDefault }) => byDefault !== undefined) || isTaken(declared, name)
}

const isTaken = (declared: readonly Declared[], name: string): boolean =>
  declared.some(({ text }) => callsOf(text).some(({ takes }) => names(takes, name)))

/** The functions and methods of a declaration, each with the text of its parameters. */
function callsOf(text: string): { readonly called: string; readonly takes: string }[] {
  const calls = text.matchAll(/(\w+)(?:<[^;{}()]*>)?\(([^()]*(?:\([^()]*\)[^()]*)*)\)/g)
  return [...calls].map(([, called = '', takes = '']) => ({ called, takes }))
}

function takersOf(
  declared: readonly Entered[],
  name: string,
  entries: ReadonlySet<string>,
): string[] {
  const reachable = declared.filter(({ isExported, entry }) => isExported && entries.has(entry))
  const takers = reachable.flatMap(({ name: taker, text, entry }) => {
    if (/\bfunction /.test(text)) return names(text, name) ? [`\`${taker}()\` of \`${entry}\``] : []
    return /^(export )?interface /.test(text)
      ? callsOf(text)
          .filter(({ takes }) => names(takes, name))
          .map(({ called }) => `\`${called}()\` of \`${taker}\``)
      : []
  })
  return [...new Set(takers)].sort()
}

function manifestOf(folder: string): { name: string; exports: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
