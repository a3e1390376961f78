import { join } from 'node:path'
import { freshDatabase } from '@oncekey/test-servers'
import { describe, expect, inject, test } from 'vitest'
import { command } from '../src/command.ts'
import type { Installed } from '../src/installed.ts'
import { nodeBinary } from '../src/npm-program.ts'
import { everyPackage } from '../src/packages.ts'
import { testedNodes } from '../src/sample.ts'
import { LOADS, makesAPaymentOnce, takesAnOrderOnce } from './programs.ts'

const packages = everyPackage()
const entries = packages.flatMap((one) => one.entries)

/** A consumer's programs on each Node. */
export function describeNodes(installed: () => Installed): void {
  describe.each(testedNodes)('on Node %s', (version) => {
    testNode(version, installed)
  })
}

function testNode(version: string, installed: () => Installed): void {
  test('every entry can be imported and required with the same exports', async () => {
    const { consumer } = installed()
    consumer.write('loads.cjs', LOADS)
    const node = await nodeBinary(version)
    const printed = await command(node, ['loads.cjs', ...entries], { cwd: consumer.folder })
    expect(JSON.parse(printed)).toEqual(
      entries.map((entry) => ({ entry, exports: true, same: true })),
    )
  })

  test('the main entries load without optional peers', async () => {
    const { frugal } = installed()
    frugal.write('loads.cjs', LOADS)
    const node = await nodeBinary(version)
    const frugals = packages.flatMap(({ manifest, entries }) =>
      manifest.peerDependenciesMeta === undefined ? entries : entries.slice(0, 1),
    )
    const printed = await command(node, ['loads.cjs', ...frugals], { cwd: frugal.folder })
    expect(JSON.parse(printed)).toHaveLength(frugals.length)
  })

  test('the command line creates a schema and reads it', async () => {
    const { consumer } = installed()
    const node = await nodeBinary(version)
    const program = join(consumer.packageFolder('oncekey'), 'bin', 'oncekey.js')
    const database = await freshDatabase(inject('postgresUrl'))
    const oncekey = (...args: string[]) =>
      command(node, [program, ...args, '--database', database.url], { cwd: consumer.folder })
    try {
      expect(await oncekey('migrate', '--with', 'saga', '--with', 'webhooks')).toMatch(
        /^postgres: went/,
      )
      expect(await oncekey('keys', 'list')).toBe('There are no such keys.\n')
      expect(JSON.parse(await oncekey('sagas', 'list', '--json'))).toEqual({ items: [] })
    } finally {
      await database.drop()
    }
  })

  test("the README's program makes a payment once", async () => {
    await makesAPaymentOnce(installed(), { binary: await nodeBinary(version) })
  })

  test('a CommonJS program with the Fastify plugin takes an order once', async () => {
    await takesAnOrderOnce(installed(), { binary: await nodeBinary(version) })
  })
}
