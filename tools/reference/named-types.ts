import { join } from 'node:path'
import { apiSurface, type Declared } from '../api-surface.ts'
import { type AliasDocs, aliasDocs, type InterfaceDocs, interfaceDocs } from './interface-docs.ts'

/** A type that a signature names, with what it stands for. */
export type NamedType =
  | { readonly kind: 'interface'; readonly name: string; readonly docs: InterfaceDocs }
  | { readonly kind: 'alias'; readonly name: string; readonly docs: AliasDocs }

/** The sources of a package that its users can import from. */
export interface PackageFiles {
  readonly name: string
  /** Paths of its entries. */
  readonly entries: readonly string[]
}

/**
 * The types of ours that `texts` name, and those that these name in turn, by the package that
 * declares them; without the names in `shown`, which are explained elsewhere. A name that two
 * packages declare is the one of the package whose text names it.
 */
export function namedTypes(
  packages: readonly PackageFiles[],
  texts: readonly { readonly of: string; readonly text: string }[],
  shown: ReadonlySet<string>,
): ReadonlyMap<string, readonly NamedType[]> {
  const declared = new Map(packages.map(({ name, entries }) => [name, declaredIn(entries)]))
  const found = new Map<string, Map<string, NamedType>>()
  const seen = new Set<string>()
  const add = (of: string, text: string): void => {
    for (const [word] of text.matchAll(/\b[A-Z]\w*\b/g)) {
      if (shown.has(word) || /^Resolved/.test(word)) continue
      const owner = declared.get(of)?.has(word) ? of : exporterOf(declared, word)
      if (owner === undefined || seen.has(`${owner} ${word}`)) continue
      seen.add(`${owner} ${word}`)
      const type = typeOf(declared.get(owner)?.get(word) as Declared)
      if (type === undefined) continue
      const types = found.get(owner) ?? new Map<string, NamedType>()
      found.set(owner, types.set(word, type))
      for (const part of textsOf(type)) add(owner, part)
    }
  }
  for (const { of, text } of texts) add(of, text)
  return new Map(
    [...found].map(([of, types]) => [
      of,
      [...types.values()].sort((one, other) => (one.name < other.name ? -1 : 1)),
    ]),
  )
}

type DeclaredByName = ReadonlyMap<string, Declared>

function declaredIn(entries: readonly string[]): DeclaredByName {
  const types = entries
    .flatMap((entry) => apiSurface(entry))
    .filter(({ text }) => /^(export )?(declare )?(interface|type) /.test(text))
  // What is exported first: it is what a user can import by that name.
  const inOrder = types.sort((one, other) => Number(one.isExported) - Number(other.isExported))
  return new Map(inOrder.map((one) => [one.name, one]))
}

function exporterOf(
  declared: ReadonlyMap<string, DeclaredByName>,
  name: string,
): string | undefined {
  return [...declared].find(([, types]) => types.get(name)?.isExported)?.[0]
}

function typeOf({ file, name }: Declared): NamedType | undefined {
  const members = interfaceDocs(file, name)
  if (members !== undefined) return { kind: 'interface', name, docs: members }
  const alias = aliasDocs(file, name)
  return alias && { kind: 'alias', name, docs: alias }
}

function textsOf(type: NamedType): readonly string[] {
  if (type.kind === 'alias') return [type.docs.type]
  return [...type.docs.parents, ...type.docs.members.map((member) => member.type)]
}

/** The names that a page of the reference explains: its sections, and the rows of its types. */
export function namesOn(page: string): string[] {
  const sections = [...page.matchAll(/^### (\w+)/gm)]
  const rows = page
    .split(/^### /m)
    .filter((section) => section.startsWith('Types of '))
    .flatMap((section) => [...section.matchAll(/^\| `(\w+)/gm)])
  return [...sections, ...rows].map(([, name = '']) => name)
}

/** What the functions that a package exports return. */
export function returnedBy({ name, entries }: PackageFiles): { of: string; text: string }[] {
  return entries
    .flatMap((entry) => apiSurface(entry))
    .filter(({ isExported, text }) => isExported && /\bfunction /.test(text))
    .map(({ text }) => ({ of: name, text: text.replace(/^.*\) ?: /s, '') }))
}

/** What the tables of a page of the reference name as types, by the package of their section. */
export function typesNamedOn(page: string): { readonly of: string; readonly text: string }[] {
  return page.split(/^## /m).flatMap((section) => {
    const [of = ''] = section.split('\n')
    const rows = section.split('\n').filter((line) => line.startsWith('| `'))
    return rows.map((row) => ({ of, text: row.split(/(?<!\\)\|/)[2] ?? '' }))
  })
}

/** The entries of a package, from its manifest. */
export function packageFiles(
  folder: string,
  manifest: { readonly name: string; readonly exports: Readonly<Record<string, string>> },
): PackageFiles {
  const files = Object.values(manifest.exports).filter((file) => file.endsWith('.ts'))
  return { name: manifest.name, entries: files.map((file) => join(folder, file)) }
}
