import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { moduleOf, pagesWithSnippets, skipped, snippetsOf } from '../src/snippets.ts'

const home = join(workspace, 'tests', 'docs')
let folder: string

beforeAll(() => {
  folder = mkdtempSync(join(home, '.snippets-'))
})
afterAll(() => rmSync(folder, { recursive: true, force: true }))

/** The type declarations that a reader's application has for its own requests. */
const APPLICATION = `import 'express'; import 'fastify'
declare global { namespace Express { interface Request { user: { id: string } } } }
declare module 'fastify' { interface FastifyRequest { user: { id: string } } }
`

const TSCONFIG = {
  compilerOptions: {
    target: 'es2023',
    module: 'nodenext',
    strict: true,
    noEmit: true,
    skipLibCheck: true,
    experimentalDecorators: true,
    emitDecoratorMetadata: true,
    allowImportingTsExtensions: true,
    lib: ['es2024', 'dom', 'dom.iterable'],
    types: ['node'],
  },
}

test('every snippet of the pages compiles, strictly', { timeout: 300_000 }, async () => {
  const snippets = pagesWithSnippets()
    .flatMap(snippetsOf)
    .filter((snippet) => skipped(snippet) === undefined)
  expect(snippets.length).toBeGreaterThan(35)
  writeFileSync(join(folder, 'application.d.ts'), APPLICATION)
  // A file that the page has its reader generate.
  copyFileSync(join(workspace, 'examples/described/src/api.d.ts'), join(folder, 'api.d.ts'))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  const places = new Map<string, string>()
  for (const snippet of snippets) {
    const name = `${snippet.page.replaceAll(/[/.]/g, '-')}-${snippet.line}.ts`
    places.set(name, `${snippet.page}:${snippet.line}`)
    writeFileSync(join(folder, name), moduleOf(snippet))
  }
  expect(await compilerErrors(places)).toEqual([])
})

/** The compiler's errors, by snippet. */
async function compilerErrors(places: ReadonlyMap<string, string>): Promise<string[]> {
  const compiler = join(workspace, 'node_modules', '.bin', 'tsc')
  const { stdout } = await promisify(execFile)(
    compiler,
    ['--project', folder, '--pretty', 'false'],
    {
      cwd: folder,
      maxBuffer: 16 * 1024 * 1024,
    },
  ).catch((error) => error)
  return String(stdout)
    .split('\n')
    .filter((line) => line.includes('error TS'))
    .map((line) => line.replace(/^([\w.-]+\.ts)/, (name) => places.get(name) ?? name))
}
