import { existsSync, readdirSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { importsWithin } from './imports.ts'

const MOST_FILES = 20

/**
 * Returns every breach of the rules for folders by the packages in `folder`. The rules: a folder of
 * a package's `src` has at most twenty files, files do not import each other in a circle, and no
 * two folders import each other. Imports of types count, because a reader follows them, too.
 */
export function findRoomBreaches(folder: string): string[] {
  return readdirSync(folder)
    .filter((name) => existsSync(join(folder, name, 'src')))
    .flatMap((name) => {
      const src = join(folder, name, 'src')
      const imports = importsWithin(src)
      return [...crowds(src), ...circles(imports), ...mutualFolders(imports)].map(
        (breach) => `${name}/src: ${breach}`,
      )
    })
}

function crowds(src: string): string[] {
  const counts = new Map<string, number>()
  for (const entry of readdirSync(src, { recursive: true, withFileTypes: true })) {
    if (!entry.isFile()) continue
    const place = entry.parentPath.slice(src.length + 1)
    counts.set(place, (counts.get(place) ?? 0) + 1)
  }
  return [...counts]
    .filter(([, count]) => count > MOST_FILES)
    .map(([place, count]) => `${place || '.'} has ${count} files; ${MOST_FILES} are the most`)
}

/** Tarjan's algorithm: the sets of files that can all reach each other. */
function circles(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const found: string[] = []
  const numbers = new Map<string, number>()
  const lowest = new Map<string, number>()
  const stack: string[] = []

  function visit(file: string): number {
    const number = numbers.size
    numbers.set(file, number)
    lowest.set(file, number)
    stack.push(file)
    for (const target of imports.get(file) ?? []) {
      const reached = numbers.has(target)
        ? stack.includes(target)
          ? numbers.get(target)
          : undefined
        : visit(target)
      if (reached !== undefined && reached < (lowest.get(file) as number)) lowest.set(file, reached)
    }
    if (lowest.get(file) === number) {
      const circle = stack.splice(stack.indexOf(file))
      if (circle.length > 1) found.push(`a circle of imports: ${circle.sort().join(', ')}`)
    }
    return lowest.get(file) as number
  }

  for (const file of imports.keys()) if (!numbers.has(file)) visit(file)
  return found
}

function mutualFolders(imports: ReadonlyMap<string, readonly string[]>): string[] {
  const arrows = new Map<string, string>()
  for (const [file, targets] of imports) {
    for (const target of targets) {
      const [from, to] = [dirname(file), dirname(target)]
      if (from !== to) arrows.set(`${from} > ${to}`, `${file} imports ${target}`)
    }
  }
  return [...arrows].flatMap(([arrow, example]) => {
    const [from, to] = arrow.split(' > ') as [string, string]
    const back = arrows.get(`${to} > ${from}`)
    return from < to && back !== undefined
      ? [`${from} and ${to} import each other: ${example}, ${back}`]
      : []
  })
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const breaches = findRoomBreaches('packages')
  for (const breach of breaches) console.error(breach)
  process.exitCode = breaches.length === 0 ? 0 : 1
}
