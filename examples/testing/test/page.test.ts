import { readFile } from 'node:fs/promises'
import { expect, test } from 'vitest'

test('every block of docs/testing.md is a file of this example, to the letter', async () => {
  const page = await readFile(new URL('../../../docs/testing.md', import.meta.url), 'utf8')
  const blocks = [...page.matchAll(/```ts\n([\s\S]*?)```/g)].map(([, block]) => block)
  const files = [
    '../src/express-app.ts',
    './supertest.test.ts',
    './inject.test.ts',
    './consumer.test.ts',
    './clocks.test.ts',
    './pglite.test.ts',
    './schema.int.test.ts',
    './failures.test.ts',
    './crash.int.test.ts',
  ]
  const texts = files.map((file) => readFile(new URL(file, import.meta.url), 'utf8'))
  expect(blocks).toEqual((await Promise.all(texts)).map(asAReaderHasIt))
})

/** The name of the database is in the environment; here the tests start one. */
function asAReaderHasIt(text: string): string {
  return text
    .replace("import '@oncekey/test-servers'\n", '')
    .replace(" ?? inject('postgresUrl')", '')
    .replace(', inject, test', ', test')
}
