import { expect, test } from 'vitest'
import { sealSecret } from '../../src/sealing/sealed-secret.ts'

test('a secret that is stored in plain text causes a single warning', async () => {
  const warnings: string[] = []
  const listen = (warning: Error) => void warnings.push(warning.message)
  process.on('warning', listen)
  for (const id of ['a', 'b']) expect(sealSecret('whsec_x', id, undefined).seal).toBeNull()
  // Warnings are emitted in the next turn of the event loop.
  await new Promise((resolve) => setImmediate(resolve))
  process.off('warning', listen)
  expect(warnings).toEqual([expect.stringContaining('whoever reads the table can sign')])
})
