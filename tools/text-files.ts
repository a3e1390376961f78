import { execFileSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The text of one file of the repository, by its path from the root. */
export interface TextFile {
  readonly path: string
  readonly text: string
}

/** All text files of the work tree that git would commit: sources, pages, configuration. */
export function readTree(root: string): TextFile[] {
  const listed = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '--deduplicate'], {
    cwd: root,
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  })
  const files: TextFile[] = []
  for (const path of listed.split('\n').sort()) {
    if (!/\.(md|ts|tsx|mts|lua|json|ya?ml|sh)$/.test(path) || path === 'pnpm-lock.yaml') continue
    try {
      files.push({ path, text: readFileSync(join(root, path), 'utf8') })
    } catch (error) {
      // Git lists the file, but it is deleted in the work tree.
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    }
  }
  return files
}

/**
 * A fault for each file of a generator that is missing, that differs from what the generator would
 * write, or that it no longer writes. `command` is the script of package.json that writes them.
 */
export function staleFiles(
  wanted: readonly TextFile[],
  present: readonly TextFile[],
  command: string,
): string[] {
  const textsOf = (files: readonly TextFile[]) =>
    new Map(files.map(({ path, text }) => [path, text]))
  const [wantedTexts, presentTexts] = [textsOf(wanted), textsOf(present)]
  return [...new Set([...wantedTexts.keys(), ...presentTexts.keys()])]
    .filter((path) => wantedTexts.get(path) !== presentTexts.get(path))
    .sort()
    .map((path) => `${path}: stale; write it with npx -y pnpm@12 ${command}`)
}
