import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'

/**
 * What is wrong with a file's source map in an installed package; nothing if it leads to its
 * sources.
 */
export function faultsOfMap(folder: string, file: string): string[] {
  const text = readFileSync(join(folder, file), 'utf8')
  const reference = text.match(/\/\/# sourceMappingURL=(\S+)\s*$/)
  if (reference?.[1] === undefined) return hasCode(text) ? [`${file} names no source map`] : []
  const path = join(dirname(file), reference[1])
  if (!existsSync(join(folder, path))) return [`${path} is not there`]
  const {
    sources,
    sourcesContent = [],
    mappings,
  } = JSON.parse(readFileSync(join(folder, path), 'utf8')) as {
    sources: string[]
    sourcesContent?: string[]
    mappings: string
  }
  const faults = mappings === '' && sources.length > 0 ? [`${path} maps nothing`] : []
  for (const [at, source] of sources.entries()) {
    const lies = join(dirname(path), source)
    if (!lies.startsWith('src/') || !existsSync(join(folder, lies))) {
      faults.push(`${path}: ${source} is not shipped`)
    } else if (
      sourcesContent[at] !== undefined &&
      sourcesContent[at] !== readFileSync(join(folder, lies), 'utf8')
    ) {
      faults.push(`${path}: ${source} is shipped otherwise than it was built`)
    }
  }
  return faults
}

/** An entry that only re-exports has nothing to map. */
function hasCode(text: string): boolean {
  return text.replace(/^(import|export) \{[^}]*\}( from "[^"]*")?;$/gm, '').trim() !== ''
}
