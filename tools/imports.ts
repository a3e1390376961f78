import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSync, Visitor } from 'oxc-parser'

/** The TypeScript files below `folder`, by their paths relative to it. */
export function sourcesIn(folder: string): string[] {
  return readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((file) =>
    file.endsWith('.ts'),
  )
}

/** The specifiers that a file imports or re-exports, including types, as they are written. */
export function specifiersIn(path: string): string[] {
  const specifiers: string[] = []
  const note = ({ source }: { source: unknown }) => {
    const value = (source as { value?: unknown } | null)?.value
    if (typeof value === 'string') specifiers.push(value)
  }
  new Visitor({
    ImportDeclaration: note,
    ExportNamedDeclaration: note,
    ExportAllDeclaration: note,
    ImportExpression: note,
    TSImportType: note,
  }).visit(parseSync(path, readFileSync(path, 'utf8')).program)
  return specifiers
}

/** The imports between the files below `folder`, by their paths relative to it. */
export function importsWithin(folder: string): Map<string, string[]> {
  const files = new Set(sourcesIn(folder))
  return new Map(
    [...files].map((file) => [
      file,
      specifiersIn(join(folder, file))
        .filter((specifier) => specifier.startsWith('.'))
        .map((specifier) => join(file, '..', specifier))
        .filter((target) => files.has(target)),
    ]),
  )
}
