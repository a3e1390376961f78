import { describe, expect, test } from 'vitest'
import { command } from '../src/command.ts'
import type { Installed } from '../src/installed.ts'
import { bunBinary, denoBinary } from '../src/npm-program.ts'
import { everyPackage } from '../src/packages.ts'
import { type Runtime, testedRuntimes } from '../src/sample.ts'
import { LOADS, makesAPaymentOnce, type Runner, takesAnOrderOnce } from './programs.ts'

const entries = everyPackage().flatMap((one) => one.entries)

const runners: Readonly<Record<Runtime, () => Promise<Runner>>> = {
  Bun: async () => ({ binary: await bunBinary() }),
  Deno: async () => ({
    binary: await denoBinary(),
    // With this option Deno uses the installed packages as they are.
    args: ['run', '--allow-all', '--node-modules-dir=manual'],
  }),
}

/** Runs a consumer's programs on runtimes other than Node. */
export function describeRuntimes(installed: () => Installed): void {
  for (const runtime of testedRuntimes) {
    describe(`on ${runtime}`, { timeout: 180_000 }, () => {
      test('every entry can be imported and required with the same exports', async () => {
        const { consumer } = installed()
        consumer.write('loads.cjs', LOADS)
        const { binary, args = [] } = await runners[runtime]()
        const printed = await command(binary, [...args, 'loads.cjs', ...entries], {
          cwd: consumer.folder,
        })
        expect(JSON.parse(printed)).toEqual(
          entries.map((entry) => ({ entry, exports: true, same: true })),
        )
      })

      test("the README's program makes a payment once", async () => {
        await makesAPaymentOnce(installed(), await runners[runtime]())
      })

      test('a CommonJS program with the Fastify plugin takes an order once', async () => {
        await takesAnOrderOnce(installed(), await runners[runtime]())
      })
    })
  }
}
