import { expect, test } from 'vitest'
import { replicasResult } from '../src/doctor/redis.ts'

function found(version: string, least: string | undefined, replicas = '1'): string[] {
  const info = new Map([
    ['redis_version', version],
    ['connected_slaves', replicas],
  ])
  return replicasResult(info, least).findings.map(({ what }) => what)
}

// A bug: the setting was said to be enough, but these servers let scripts write all the same.
test('a server that does not apply min-replicas-to-write to scripts is named', () => {
  for (const version of ['6.2.0', '6.2.6', '6.0.20', '5.0.14']) {
    const said = [`Redis ${version} does not apply min-replicas-to-write to scripts.`]
    expect(found(version, '1')).toEqual(said)
    expect(found(version, undefined)).toEqual(said)
  }
  for (const version of ['6.2.7', '6.2.14', '7.0.15', '8.0.0', '7.2.4']) {
    expect(found(version, '1')).toEqual([])
  }
})

test('without replicas, or with the setting at 0, there is nothing more to say', () => {
  expect(found('6.2.6', '1', '0')).toEqual([])
  expect(found('6.2.6', '0')).toEqual(['There is 1 replica, and min-replicas-to-write is 0.'])
})
