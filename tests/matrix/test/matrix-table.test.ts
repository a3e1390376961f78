import { expect, test } from 'vitest'
import { compareSample } from '../src/matrix-sample.ts'
import { matrixPage, type Outcome } from '../src/matrix-table.ts'

function outcomes(adapters: string[], stores: string[]): Outcome[] {
  return adapters.flatMap((adapter) =>
    stores.flatMap((store) => [
      { adapter, store, behaviour: 'keys: are short', skipped: undefined },
      {
        adapter,
        store,
        behaviour: 'events: are committed',
        skipped: store === 'Redis' ? 'needs a transaction' : undefined,
      },
      {
        adapter,
        store,
        behaviour: 'headers: are removed',
        skipped: adapter === 'fetch' ? 'fetch cannot say' : undefined,
      },
    ]),
  )
}

test('the page counts the sentences kept, and names the skipped ones with their place and reason', () => {
  const page = matrixPage(outcomes(['Express 5', 'fetch'], ['Postgres', 'Redis']), [])
  expect(page).toContain(`| | Postgres | Redis |
|---|---:|---:|
| Express 5 | 3 | 2 |
| fetch | 2 | 1 |
`)
  expect(page).toContain('the 3 sentences')
  expect(page).toContain('**Redis**: needs a transaction\n\n- events: are committed\n')
  expect(page).toContain('**fetch**: fetch cannot say\n\n- headers: are removed\n')
})

test('the page names adapter and store of a sentence that is skipped in one cell only', () => {
  const all = outcomes(['Express 5', 'Fastify 5'], ['Postgres', 'PGlite'])
  const one = all.map((outcome) =>
    outcome.adapter === 'Fastify 5' && outcome.store === 'PGlite'
      ? { ...outcome, skipped: 'not now' }
      : outcome,
  )
  expect(matrixPage(one, [])).toContain(`**Fastify 5 on PGlite**: not now

- keys: are short
- events: are committed
- headers: are removed
`)
})

test('the page names the stores that keep a sentence if most skip it', () => {
  const all = outcomes(['Express 5', 'Fastify 5'], ['Postgres', 'PGlite', 'Redis']).map((one) =>
    one.store === 'Redis' ? one : { ...one, skipped: 'has transactions' },
  )
  expect(matrixPage(all, [])).toContain('**every store but Redis**: has transactions')
})

test('a store that runs on one adapter only needs a reason', () => {
  const all = outcomes(['Express 5', 'Fastify 5'], ['Postgres'])
  const single = outcomes(['Express 5'], ['Postgres, prepared'])
  expect(matrixPage(all, [{ why: 'One is enough.', outcomes: single }])).toContain(
    'One is enough.\n\n| | Postgres, prepared |\n|---|---:|\n| Express 5 | 3 |\n',
  )
  expect(() => matrixPage([...all, ...single], [])).toThrow(
    'Fastify 5 was not run on Postgres, prepared, and nothing says why.',
  )
})

test('a skipped sentence needs a reason', () => {
  const all = outcomes(['Express 5'], ['Postgres']).map((one) => ({ ...one, skipped: '' }))
  expect(() => matrixPage(all, [])).toThrow('“keys: are short” was skipped without a reason.')
})

test('a sample is compared cell by cell, and the cells left out are named', () => {
  const all = outcomes(['Express 5', 'fetch'], ['Postgres', 'Redis'])
  const page = matrixPage(all, [])
  const sample = all.filter(({ adapter, store }) => adapter === 'Express 5' || store === 'Redis')
  expect(compareSample(page, sample)).toBe(
    'A sample of the matrix was run, 3 of 4 cells. Left out (pnpm matrix runs all): fetch on Postgres.',
  )
  expect(compareSample(page, all)).toBe('The matrix was run whole.')
})

test('a sample that differs from the page, or is missing on it, is an error', () => {
  const page = matrixPage(outcomes(['Express 5'], ['Postgres']), [])
  const more = [...outcomes(['Express 5'], ['Postgres'])]
  more.push({ adapter: 'Express 5', store: 'Postgres', behaviour: 'new', skipped: undefined })
  expect(() => compareSample(page, more)).toThrow(
    'Express 5 on Postgres: 4 sentences were kept, and docs/matrix.md says 3. Write it: pnpm matrix',
  )
  expect(() => compareSample(page, outcomes(['Koa'], ['Postgres']))).toThrow('lacks it')
})
