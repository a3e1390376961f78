import { join } from 'node:path'
import { build } from 'esbuild'
import { describe, test } from 'vitest'
import type { Installed } from '../src/installed.ts'
import { nodeBinary } from '../src/npm-program.ts'
import { oldestNode } from '../src/sample.ts'
import {
  dashboardProgram,
  fastifyProgram,
  makesAPaymentOnce,
  readmeProgram,
  type Script,
  showsAPageWithItsStyles,
  takesAnOrderOnce,
} from './programs.ts'

/** A consumer's programs, bundled into one file with all that they import. */
export function describeBundles(installed: () => Installed): void {
  describe('bundled by esbuild', () => {
    test("the README's program makes a payment once: an ES module", async () => {
      const script = await bundled(installed(), readmeProgram, 'esm')
      await makesAPaymentOnce(installed(), { binary: await nodeBinary(oldestNode) }, () => script)
    })

    test('the program with the Fastify plugin takes an order once: CommonJS', async () => {
      const script = await bundled(installed(), fastifyProgram, 'cjs')
      await takesAnOrderOnce(installed(), { binary: await nodeBinary(oldestNode) }, () => script)
    })

    test('the dashboard shows its pages with their styles, which are in no file', async () => {
      const script = await bundled(installed(), dashboardProgram, 'esm')
      const runner = { binary: await nodeBinary(oldestNode) }
      await showsAPageWithItsStyles(installed(), runner, () => script)
    })
  })
}

async function bundled(
  installed: Installed,
  script: Script,
  format: 'esm' | 'cjs',
): Promise<string> {
  const { folder } = installed.consumer
  const outfile = `bundled.${format === 'esm' ? 'mjs' : 'cjs'}`
  await build({
    entryPoints: [join(folder, script(installed))],
    outfile: join(folder, 'bundles', outfile),
    bundle: true,
    platform: 'node',
    target: 'node20',
    format,
    // An optional native part of pg, which is not installed.
    external: ['pg-native'],
    logLevel: 'error',
    // Dependencies that are CommonJS require modules of Node.
    ...(format === 'esm' && {
      banner: {
        js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url)",
      },
    }),
  })
  return join('bundles', outfile)
}
