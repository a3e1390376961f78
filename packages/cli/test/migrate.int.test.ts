import { describe, expect, test } from 'vitest'
import { cliDatabase } from './servers.ts'

describe('migrate, in a database where nothing is', () => {
  const { run, query } = cliDatabase('empty')

  test('says what it would do, and ends with 1 because there is something', async () => {
    const dry = await run(['migrate', '--dry-run'])
    expect(dry.stdout).toMatch(/^postgres: would go from version 0 to \d+\n/)
    expect(dry).toMatchObject({ code: 1, stderr: '' })
    expect(await query(`select to_regnamespace('oncekey') as there`)).toEqual([{ there: null }])
  })

  test('prints a plan that psql can run and that leaves nothing to do', async () => {
    const plan = await run(['migrate', '--plan', '--with', 'webhooks', '--with', 'saga'])
    expect(plan.code).toBe(0)
    await query(plan.stdout)
    const dry = await run(['migrate', '--dry-run', '--json'])
    expect(dry.code).toBe(0)
    const { packages } = JSON.parse(dry.stdout)
    expect(packages.map((each: { package: string }) => each.package)).toEqual([
      'postgres',
      'webhooks',
      'saga',
    ])
    for (const { from, to } of packages) expect(from).toBe(to)
    const doctor = await run(['doctor', '--json'])
    const { findings } = JSON.parse(doctor.stdout)
    expect(findings.filter(({ check }: { check: string }) => check === 'drift')).toEqual([])
  })
})

describe('migrate', () => {
  const { run, query } = cliDatabase('empty')

  test('creates the schema once, and finds nothing to do after that', async () => {
    const first = await run(['migrate', '--with', 'saga'])
    expect(first.stdout).toMatch(
      /^postgres: went from version 0 to (\d+)\nsaga: went from version 0/,
    )
    expect(first.stdout).toContain('webhooks: not there (--with webhooks creates it)')
    expect((await run(['migrate'])).stdout).toMatch(
      /^postgres: version \d+, up to date\nsaga: version/,
    )
    expect((await run(['migrate', '--dry-run'])).code).toBe(0)
  })

  test('is refused with a sentence where a newer release has been here', async () => {
    await query(`insert into oncekey.migrations (package, version) values ('postgres', 9999)`)
    const refused = await run(['migrate'])
    expect(refused.stderr).toMatch(/^oncekey: The schema "oncekey" is at version 9999 of/)
    expect(refused.code).toBe(1)
    await query('delete from oncekey.migrations where version = 9999')
  })
})
