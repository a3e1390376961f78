import { keyTarget } from '@oncekey/core'
import { expect, test } from 'vitest'
import { eraseScope } from '../../src/index.ts'
import { again, attemptOf, claimOf, kept, said } from '../database/claims.ts'
import { storeOn, testDatabase } from '../database/test-database.ts'

const act = { actor: 'maria@shop.example', note: 'she says that she was charged' }
const erasing = { actor: 'privacy@shop.example', note: 'request 4711 for deletion' }

const database = testDatabase()

test('a scope is erased: its responses, and what the audit says of its keys', async () => {
  const pool = database.pool({ max: 4 })
  const store = storeOn(pool, { mode: 'lease' })
  const [scope, namespace] = ['customer-7', 'http']
  const finished = claimOf({ namespace, scope })
  await attemptOf(await store.begin(finished)).complete(kept('her address'))
  const [released, near] = [
    claimOf({ namespace, scope }),
    claimOf({ namespace, scope: 'customer-70' }),
  ]
  for (const claim of [released, near]) {
    await attemptOf(await store.begin(claim)).abandon()
    expect(await store.keys.release(claim, act)).toBe('done')
  }

  expect(await eraseScope(pool, { scope }, erasing)).toEqual({ responses: 1, entries: 1 })

  expect(said(await store.begin(again(finished)))).toBe('result-gone')
  expect(
    (await store.operations.list({ target: keyTarget(released) }, { limit: 10 })).items,
  ).toEqual([])
  const { items } = await store.operations.list({}, { limit: 10 })
  const [erase, ofNear, ofReleased] = items
  expect(erase).toMatchObject({
    ...erasing,
    act: 'keys.erase-scope',
    target: '["namespace","http"]',
    detail: { responses: 1, entries: 1 },
  })
  expect(ofNear).toMatchObject({ ...act, target: keyTarget(near) })
  expect(ofReleased).toMatchObject({
    actor: act.actor,
    act: 'keys.release',
    target: '["erased"]',
    note: '',
    detail: { erasedBy: erase?.id },
  })
  const rows = await database.query(
    `select from oncekey.operations o where o::text ~ 'customer-7\\D'`,
  )
  expect(rows).toEqual([])
  expect(await eraseScope(pool, { scope }, erasing)).toEqual({ responses: 0, entries: 0 })
})

test('an entry is changed into nothing but an erased one that names the act', async () => {
  const pool = database.pool({ max: 4 })
  const store = storeOn(pool, { mode: 'lease' })
  const claim = claimOf({ namespace: 'http', scope: 'customer-8' })
  await attemptOf(await store.begin(claim)).abandon()
  expect(await store.keys.release(claim, act)).toBe('done')
  const [entry] = (await store.operations.list({ target: keyTarget(claim) }, { limit: 1 })).items
  const erased = (detail: string) =>
    `update oncekey.operations set target = '["erased"]', note = '', detail = '${detail}'
      where id = ${entry?.id}`
  for (const sql of [
    `update oncekey.operations set note = '' where id = ${entry?.id}`,
    erased('{}'),
    erased('{"erasedBy": "0"}'),
    erased(`{"erasedBy": "${entry?.id}"}`),
  ]) {
    await expect(database.query(sql)).rejects.toMatchObject({ code: '23001' })
  }
})
