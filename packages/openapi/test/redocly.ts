import { execFile } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'

/**
 * The faults that Redocly's linter finds in documents, by the document's name. One process lints
 * them all, because it takes a second to start.
 */
export async function redocly(
  documents: Readonly<Record<string, object>>,
): Promise<readonly string[]> {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-redocly-'))
  const require = createRequire(import.meta.url)
  const program = join(dirname(require.resolve('@redocly/cli/package.json')), 'bin', 'cli.js')
  const files = Object.entries(documents).map(([name, document]) => {
    const file = `${name.replace(/\W+/g, '-').replace(/^-/, '')}.json`
    writeFileSync(join(folder, file), JSON.stringify(document))
    return file
  })
  try {
    // A line for each fault, of all files.
    const args = [program, 'lint', '--format=github-actions', ...files]
    const env = { ...process.env, REDOCLY_TELEMETRY: 'off', REDOCLY_SUPPRESS_UPDATE_NOTICE: 'true' }
    // Redocly exits with 1 if it finds errors.
    const { stdout, stderr } = await promisify(execFile)(process.execPath, args, {
      cwd: folder,
      env,
    }).catch((error) => error)
    const found = String(stdout)
      .split('\n')
      .filter((line) => line.startsWith('::'))
    return /validated in/.test(stderr) ? found : [...found, `It did not end: ${stderr}`]
  } finally {
    rmSync(folder, { recursive: true })
  }
}
