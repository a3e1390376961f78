import { readdirSync, readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const snippets = new URL('./publisher-snippets/', import.meta.url)
const page = readFileSync(new URL('../../../../docs/publishers.md', import.meta.url), 'utf8')

// The files are compiled with the tests.
test('every snippet of docs/publishers.md is a file of publisher-snippets, and the other way round', () => {
  const shown = [...page.matchAll(/```ts\n(.*?)```/gs)].map(([, text]) => text)
  const files = readdirSync(snippets).map((name) => readFileSync(new URL(name, snippets), 'utf8'))
  expect(shown.sort()).toEqual(files.sort())
})
