import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { apiSurface, type Declared } from '../api-surface.ts'
import { wrapProse } from '../wrap-prose.ts'
import { type InterfaceDocs, interfaceDocs, type Member } from './interface-docs.ts'
import {
  type NamedType,
  namedTypes,
  namesOn,
  packageFiles,
  returnedBy,
  typesNamedOn,
} from './named-types.ts'
import { code, head, table } from './table.ts'

/** Packages whose objects only a test or the package itself calls. */
const LEFT_OUT: ReadonlySet<string> = new Set(['conformance'])

/**
 * Every object that a user of the packages is given and calls: the context of a handler, a consumer
 * or a step, and what the functions of a package return; and the types that their signatures name,
 * if the page of options does not have them.
 */
export function renderMethods(root: string, optionsPage: string): string {
  const folders = readdirSync(join(root, 'packages'))
    .filter((folder) => !LEFT_OUT.has(folder))
    .map((folder) => join(root, 'packages', folder))
  const shown = new Set<string>()
  const packages = folders.map((folder) => ({
    ...packageFiles(folder, manifestOf(folder)),
    objects: objectsOf(folder).filter(({ place }) => {
      const isNew = !shown.has(place)
      shown.add(place)
      return isNew
    }),
  }))
  const titles = packages.flatMap(({ objects }) => objects.map(({ title }) => title))
  const signatures = packages.flatMap(({ name, objects }) =>
    objects.flatMap(({ docs }) => docs.members.map(({ type }) => ({ of: name, text: type }))),
  )
  const names = new Set(packages.map(({ name }) => name))
  const options = typesNamedOn(optionsPage).filter(({ of }) => names.has(of))
  const types = namedTypes(
    packages,
    [...signatures, ...packages.flatMap(returnedBy), ...options],
    new Set([...titles, ...namesOn(optionsPage)]),
  )
  const sections = packages.flatMap(({ name, objects }) => {
    const named = types.get(name) ?? []
    if (objects.length + named.length === 0) return []
    return [
      `## ${name}`,
      ...objects.flatMap(({ title, docs }) => section(title, docs)),
      ...typeSections(name, named),
    ]
  })
  return `${[
    head(
      'Methods',
      wrapProse(
        'What a handler, a consumer and a step are given, and what the functions of the packages ' +
          'return. A type that a signature names is at the end of the package that exports it, or, ' +
          'if calls take it, among the [options](options.md).',
      ),
    ),
    ...sections,
  ].join('\n\n')}\n`
}

/** The types that signatures name: each interface with its members, and a table of all others. */
function typeSections(of: string, types: readonly NamedType[]): string[] {
  const aliases = types.filter((type) => type.kind === 'alias')
  const rows = aliases.map(({ name, docs }) => [
    code(`${name}${docs.parameters}`),
    code(docs.type),
    docs.text,
  ])
  return [
    ...types.flatMap((type) => (type.kind === 'interface' ? section(type.name, type.docs) : [])),
    ...(rows.length === 0 ? [] : [`### Types of ${of}`, table(['type', 'is', ''], rows)]),
  ]
}

function section(title: string, { text, parents, members }: InterfaceDocs): string[] {
  const also =
    parents.length === 0 ? '' : `It also has the members of ${parents.map(code).join(', ')}.`
  const said = [text, also].filter((each) => each !== '').join(' ')
  return [
    `### ${title}`,
    ...(said === '' ? [] : [wrapProse(said)]),
    ...(members.length === 0
      ? []
      : [
          table(
            ['member', '', ''],
            members.map(({ name, isOptional, type, text: about }) => [
              code(isOptional ? `${name}?` : name),
              code(type),
              about,
            ]),
          ),
        ]),
  ]
}

interface Found {
  readonly title: string
  /** Its file and name: two entries or packages may export one interface. */
  readonly place: string
  readonly docs: InterfaceDocs
}

function objectsOf(folder: string): Found[] {
  const { exports } = manifestOf(folder)
  const files = Object.values(exports).filter((file) => file.endsWith('.ts'))
  const declared = files.flatMap((file) => apiSurface(join(folder, file)))
  const given = givenTo(declared)
  const byPlace = new Map(
    declared.filter(({ name }) => given.has(name)).map((one) => [`${one.file} ${one.name}`, one]),
  )
  const objects = [...byPlace].sort().flatMap(([place, { file, name }]) => {
    const docs = interfaceDocs(file, name)
    return docs?.members.some(isMethod) ? [{ title: name, place, docs }] : []
  })
  const titles = new Set(objects.map(({ title }) => title))
  return objects.map((one) => ({ ...one, docs: withInherited(one.docs, declared, titles) }))
}

/** The docs with the members of each parent that has no section of its own to look them up in. */
function withInherited(
  docs: InterfaceDocs,
  declared: readonly Declared[],
  titles: ReadonlySet<string>,
): InterfaceDocs {
  const members = [...docs.members]
  const parents = docs.parents.flatMap((parent) => {
    const name = parent.replace(/<.*/s, '')
    const from = titles.has(name) ? undefined : declared.find((one) => one.name === name)
    const own = from && interfaceDocs(from.file, name)
    if (own === undefined) return [parent]
    const whole = withInherited(own, declared, titles)
    members.push(...whole.members.filter((one) => !members.some((has) => has.name === one.name)))
    return whole.parents
  })
  return { ...docs, parents, members }
}

/**
 * The interfaces of what a user is given: contexts, what an exported function returns, and what is
 * a member of such an object, inherited ones too, or is returned by it. Others, such as the shapes
 * of drivers, are what a user passes in.
 */
function givenTo(declared: readonly Declared[]): ReadonlySet<string> {
  const objects = declared.filter(isObject)
  const functions = declared.filter((one) => one.isExported && /\bfunction /.test(one.text))
  const isReturned = ({ name }: Declared) => {
    const returned = new RegExp(`\\): (Promise<)?${name}\\b`)
    return functions.some(({ text }) => returned.test(text))
  }
  const given = new Set(objects.filter((one) => /Context$/.test(one.name) || isReturned(one)))
  for (const one of given) {
    const docs = interfaceDocs(one.file, one.name)
    const members = docs === undefined ? [] : withInherited(docs, declared, new Set()).members
    for (const { type } of members) {
      const result = type.replace(/^.*\) ?(=>|:) /, '')
      for (const other of objects) {
        if (new RegExp(`\\b${other.name}\\b`).test(result)) given.add(other)
      }
    }
  }
  return new Set([...given].map(({ name }) => name))
}

const isObject = ({ name, text, isExported }: Declared): boolean =>
  isExported &&
  /^(export )?interface /.test(text) &&
  !/(Options|Settings|Sources|Message|Trace)$/.test(name)

const isMethod = ({ type }: Member): boolean => /^(<|\()/.test(type)

function manifestOf(folder: string): { name: string; exports: Record<string, string> } {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
}
