import { execFile } from 'node:child_process'
import { copyFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { afterAll, expect, test } from 'vitest'
import { workspace } from '../src/site.ts'
import { FILES } from '../src/snippet-context.ts'
import {
  homeOf,
  moduleOf,
  pagesWithSnippets,
  type Snippet,
  skipped,
  snippetsOf,
} from '../src/snippets.ts'

const folders: string[] = []

afterAll(() => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true })
})

/** The type declarations that a reader's application has for its own requests. */
const APPLICATION = `export {}
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
  const errors: string[] = []
  for (const home of new Set(snippets.map(homeOf))) {
    errors.push(
      ...(await errorsIn(
        home,
        snippets.filter((snippet) => homeOf(snippet) === home),
      )),
    )
  }
  expect(errors).toEqual([])
})

/** Compiles snippets with the dependencies of one folder of the workspace. */
async function errorsIn(home: string, snippets: readonly Snippet[]): Promise<string[]> {
  const folder = mkdtempSync(join(workspace, home, '.snippets-'))
  folders.push(folder)
  writeFileSync(join(folder, 'application.d.ts'), APPLICATION)
  for (const [name, text] of Object.entries(FILES)) {
    const isImported = snippets.some((snippet) => snippet.text.includes(`'./${name}'`))
    if (isImported) writeFileSync(join(folder, name), text)
  }
  // A file that the page has its reader generate.
  copyFileSync(join(workspace, 'examples/described/src/api.d.ts'), join(folder, 'api.d.ts'))
  writeFileSync(join(folder, 'tsconfig.json'), JSON.stringify(TSCONFIG))
  const places = new Map<string, string>()
  for (const snippet of snippets) {
    const name = `${snippet.page.replaceAll(/[/.]/g, '-')}-${snippet.line}.ts`
    places.set(name, `${snippet.page}:${snippet.line}`)
    writeFileSync(join(folder, name), moduleOf(snippet))
  }
  return compilerErrors(folder, places)
}

/** The compiler's errors, by snippet. */
async function compilerErrors(
  folder: string,
  places: ReadonlyMap<string, string>,
): Promise<string[]> {
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
