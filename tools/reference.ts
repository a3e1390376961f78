import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { pathToFileURL } from 'node:url'
import { renderChannels } from './reference/channels.ts'
import { renderMethods } from './reference/methods.ts'
import { renderMetrics } from './reference/metrics.ts'
import { renderOptions } from './reference/options.ts'
import { renderTables } from './reference/tables.ts'
import { renderVerbs } from './reference/verbs.ts'
import { staleFiles, type TextFile } from './text-files.ts'

const FOLDER = 'docs/reference'

/** Renders the pages that are generated from the source, and so are never out of date. */
export async function renderReference(root: string): Promise<TextFile[]> {
  const options = renderOptions(root)
  return [
    { path: `${FOLDER}/options.md`, text: options },
    { path: `${FOLDER}/methods.md`, text: renderMethods(root, options) },
    { path: `${FOLDER}/channels.md`, text: renderChannels(root) },
    { path: `${FOLDER}/metrics.md`, text: renderMetrics() },
    { path: `${FOLDER}/tables.md`, text: await renderTables() },
    { path: `${FOLDER}/verbs.md`, text: renderVerbs() },
  ]
}

/** Pages that are missing or stale, or that the generator does not write. */
export function findReferenceFaults(pages: readonly TextFile[]): string[] {
  const present = readdirSync(FOLDER).map((file) => {
    const path = `${FOLDER}/${file}`
    return { path, text: readFileSync(path, 'utf8') }
  })
  return staleFiles(pages, present, 'reference')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  const pages = await renderReference('.')
  if (process.argv.includes('--check')) {
    const faults = findReferenceFaults(pages)
    for (const fault of faults) console.error(fault)
    process.exitCode = faults.length === 0 ? 0 : 1
  } else {
    rmSync(FOLDER, { recursive: true, force: true })
    mkdirSync(FOLDER)
    for (const { path, text } of pages) writeFileSync(path, text)
  }
}
