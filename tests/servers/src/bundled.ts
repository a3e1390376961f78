import { mkdtempSync, readFileSync } from 'node:fs'
import { isBuiltin } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { build, type Plugin } from 'esbuild'
import { watch } from './watchdog.ts'

const bundles = new Map<string, Promise<string>>()

/**
 * Bundles a program of ours, in TypeScript, and returns the path of the file to run with
 * `node --enable-source-maps`. A process bundles each program once.
 *
 * A program imports a few hundred modules of ours, and a loader of TypeScript takes some seconds of
 * processor time to read them one by one, at each start. Modules of dependencies are not in the
 * bundle: Node loads them from where they are, as it does for users. `import.meta.url` is that of
 * the source, so programs find what is beside them, and with the flag stacks name the source, too.
 */
export function bundled(program: string): Promise<string> {
  const bundle = bundles.get(program) ?? bundleOf(program)
  bundles.set(program, bundle)
  return bundle
}

async function bundleOf(program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'oncekey-program-'))
  watch({ folder })
  await build({
    entryPoints: { program },
    outdir: folder,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    // A module that is imported later is evaluated later.
    splitting: true,
    platform: 'node',
    target: 'node20.19',
    format: 'esm',
    sourcemap: true,
    sourcesContent: false,
    // Errors are recognised by the names of their classes.
    keepNames: true,
    // Without any, esbuild would look for the condition `module`, which Node does not know.
    conditions: [],
    define: {
      'import.meta.url': 'sourceOf.url',
      'import.meta.dirname': 'sourceOf.dirname',
      'import.meta.filename': 'sourceOf.filename',
    },
    plugins: [dependenciesOutside, sourcesKnown],
    logLevel: 'silent',
  })
  return join(folder, 'program.mjs')
}

/** Names what is in a `node_modules` folder by its path, because the bundle is elsewhere. */
const dependenciesOutside: Plugin = {
  name: 'dependencies-outside',
  setup(build) {
    build.onResolve({ filter: /^[^./]/ }, async ({ path, pluginData, ...from }) => {
      if (pluginData === asked || from.kind === 'entry-point' || isBuiltin(path)) return
      const found = await build.resolve(path, { ...from, pluginData: asked })
      if (!found.path.includes('/node_modules/')) return found
      return { path: pathToFileURL(found.path).href, external: true }
    })
  },
}
const asked = Symbol('asked by the plugin itself')

/** Declares `sourceOf` in each module that asks where it is. */
const sourcesKnown: Plugin = {
  name: 'sources-known',
  setup(build) {
    build.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const text = readFileSync(path, 'utf8')
      if (!text.includes('import.meta')) return
      const source = { url: pathToFileURL(path).href, dirname: dirname(path), filename: path }
      // On the same line, so that the numbers of lines stay as they are.
      return { contents: `const sourceOf = ${JSON.stringify(source)}; ${text}`, loader: 'ts' }
    })
  },
}
