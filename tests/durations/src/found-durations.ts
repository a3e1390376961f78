import { readdirSync, readFileSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const packages = fileURLToPath(new URL('../../../packages/', import.meta.url))

/** The sources of all packages except the contract suites, by their path from `packages`. */
export function sources(): ReadonlyMap<string, string> {
  const found = new Map<string, string>()
  for (const name of readdirSync(packages)) {
    if (name === 'conformance') continue
    const folder = join(packages, name, 'src')
    for (const entry of readdirSync(folder, { recursive: true, withFileTypes: true })) {
      if (!entry.isFile() || !entry.name.endsWith('.ts')) continue
      const path = join(entry.parentPath, entry.name)
      found.set(relative(packages, path), readFileSync(path, 'utf8'))
    }
  }
  return found
}

/**
 * Finds each optional member whose name says that it is a length of time. Returns them as `file:
 * name`.
 */
export function foundDurations(): readonly string[] {
  return [...sources()].flatMap(([path, text]) =>
    [...text.matchAll(/\b(\w+(?:Ms|Seconds))\?: (?:number|undefined)/g)].map(
      ([, name]) => `${path}: ${name}`,
    ),
  )
}
