import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { parseSync } from 'oxc-parser'
import { isolatedDeclarationSync } from 'oxc-transform'

/** A declaration that users of a package can name, or reach through one that they can name. */
export interface Declared {
  readonly file: string
  readonly name: string
  readonly text: string
  readonly isExported: boolean
}

interface Declarations {
  readonly file: string
  /** The text of the declarations of each local name, with overloads. */
  readonly texts: ReadonlyMap<string, string>
  /** Local names of what is imported from files of the package. */
  readonly imported: ReadonlyMap<string, { readonly file: string; readonly name: string }>
  /** What is exported, by its public name; `file` if it is exported from another file. */
  readonly exported: ReadonlyMap<
    string,
    { readonly file: string | undefined; readonly name: string }
  >
}

/**
 * The declarations that an entry exports, and those of the package that they refer to, without
 * comments. They are derived from each file alone, as in the build, so no program has to be
 * compiled.
 */
export function apiSurface(entry: string): Declared[] {
  const files = new Map<string, Declarations>()
  const read = (file: string): Declarations => {
    const known = files.get(file) ?? readDeclarations(file)
    files.set(file, known)
    return known
  }
  const found = new Map<string, Declared>()
  function add(file: string, local: string, publicName: string, isExported: boolean): void {
    const declarations = read(file)
    const elsewhere = declarations.imported.get(local)
    if (elsewhere) {
      const { exported } = read(elsewhere.file)
      add(
        elsewhere.file,
        exported.get(elsewhere.name)?.name ?? elsewhere.name,
        publicName,
        isExported,
      )
      return
    }
    const text = declarations.texts.get(local)
    const id = `${file} ${local}`
    if (text === undefined || (found.has(id) && !isExported)) return
    const isNew = !found.has(id)
    found.set(id, { file, name: publicName, text, isExported })
    if (!isNew) return
    for (const word of new Set(text.match(/[A-Za-z_$][\w$]*/g))) {
      if (word !== local) add(file, word, word, false)
    }
  }
  function addExports(file: string): void {
    for (const [name, { file: other, name: local }] of read(file).exported) {
      if (other === undefined) add(file, local, name, true)
      else if (name === '*') addExports(other)
      else addFrom(other, local, name)
    }
  }
  function addFrom(file: string, exportedName: string, publicName: string): void {
    const again = read(file).exported.get(exportedName)
    if (again?.file === undefined) add(file, again?.name ?? exportedName, publicName, true)
    else addFrom(again.file, again.name, publicName)
  }
  addExports(entry)
  return [...found.values()].sort(
    (a, b) =>
      Number(b.isExported) - Number(a.isExported) ||
      (a.name < b.name ? -1 : a.name > b.name ? 1 : a.text < b.text ? -1 : 1),
  )
}

function readDeclarations(file: string): Declarations {
  const { code } = isolatedDeclarationSync(file, readFileSync(file, 'utf8'), {
    stripInternal: true,
  })
  const { program, comments } = parseSync(file.replace(/\.ts$/, '.d.ts'), code)
  const texts = new Map<string, string>()
  const imported = new Map<string, { file: string; name: string }>()
  const exported = new Map<string, { file: string | undefined; name: string }>()
  const bare = withoutComments(code, comments)
  for (const node of program.body) {
    if (node.type === 'ImportDeclaration') {
      const from = fileOf(file, node.source.value)
      if (from === undefined) continue
      for (const one of node.specifiers) {
        const name = one.type === 'ImportSpecifier' ? nameOf(one.imported) : 'default'
        imported.set(one.local.name, { file: from, name })
      }
    } else if (node.type === 'ExportAllDeclaration') {
      const from = fileOf(file, node.source.value)
      if (from !== undefined) exported.set('*', { file: from, name: '*' })
    } else if (node.type === 'ExportNamedDeclaration' && node.declaration === null) {
      const from = node.source ? fileOf(file, node.source.value) : undefined
      for (const one of node.specifiers) {
        exported.set(nameOf(one.exported), { file: from, name: nameOf(one.local) })
      }
    } else {
      const declaration = 'declaration' in node ? node.declaration : node
      if (!declaration) continue
      const text = bare.slice(node.start, node.end).replace(/\s+/g, ' ').trim()
      for (const name of namesOf(declaration)) {
        texts.set(name, texts.has(name) ? `${texts.get(name)}\n${text}` : text)
        if (node.type === 'ExportNamedDeclaration') exported.set(name, { file: undefined, name })
        if (node.type === 'ExportDefaultDeclaration') {
          exported.set('default', { file: undefined, name })
        }
      }
    }
  }
  return { file, texts, imported, exported }
}

function namesOf(declaration: unknown): string[] {
  const node = declaration as {
    name?: string
    id?: { name?: string }
    declarations?: { id: { name: string } }[]
  }
  if (node.declarations) return node.declarations.map(({ id }) => id.name)
  return [node.id?.name ?? node.name ?? 'default']
}

const nameOf = (name: { name?: string; value?: unknown }): string => name.name ?? String(name.value)

/** Only files of the package itself are followed. */
function fileOf(from: string, specifier: string): string | undefined {
  if (!specifier.startsWith('.')) return undefined
  const file = join(dirname(from), specifier)
  return existsSync(file) ? file : undefined
}

function withoutComments(
  code: string,
  comments: readonly { start: number; end: number }[],
): string {
  let bare = code
  for (const { start, end } of comments) {
    bare = bare.slice(0, start) + ' '.repeat(end - start) + bare.slice(end)
  }
  return bare
}
