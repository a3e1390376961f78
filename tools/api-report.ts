import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { apiSurface } from './api-surface.ts'
import { staleFiles, type TextFile } from './text-files.ts'

const FOLDER = 'api'

/**
 * Writes a report for each package: every declaration that its users can name, and, below a line,
 * those that they can only reach through others. The reports are checked in, so that a reviewer
 * sees every change of the public API.
 */
export function renderApiReports(root: string): TextFile[] {
  return readdirSync(join(root, 'packages')).map((name) => {
    const folder = join(root, 'packages', name)
    const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'))
    const entries = Object.entries<string>(manifest.exports).filter(([, file]) =>
      file.endsWith('.ts'),
    )
    const sections = entries.flatMap(([subpath, file]) => {
      const surface = apiSurface(join(folder, file))
      const texts = (isExported: boolean) =>
        surface.filter((one) => one.isExported === isExported).map(({ text }) => text)
      const reached = texts(false)
      return [
        `// ${manifest.name}${subpath.slice(1)}`,
        ...texts(true),
        ...(reached.length > 0 ? ['// reached by these, not exported', ...reached] : []),
        '',
      ]
    })
    return { path: `${FOLDER}/${name}.txt`, text: sections.join('\n') }
  })
}

/** Finds reports that differ from the public API of the source. */
export function findApiReportFaults(root: string): string[] {
  const present = readdirSync(join(root, FOLDER)).map((name) => {
    const path = `${FOLDER}/${name}`
    return { path, text: readFileSync(join(root, path), 'utf8') }
  })
  return staleFiles(renderApiReports(root), present, 'api, and review what is public now')
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  if (process.argv.includes('--check')) {
    const faults = findApiReportFaults('.')
    for (const fault of faults) console.error(fault)
    process.exitCode = faults.length === 0 ? 0 : 1
  } else {
    rmSync(FOLDER, { recursive: true, force: true })
    mkdirSync(FOLDER)
    for (const { path, text } of renderApiReports('.')) writeFileSync(path, text)
  }
}
