import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { Installed } from '../src/installed.ts'
import { installNestProject, type NestProject } from '../src/nest-project.ts'
import { nodeBinary } from '../src/npm-program.ts'
import { workspace } from '../src/packages.ts'

/**
 * With Nest 12 the contract of adapters is tested in `packages/nestjs`. The workspace cannot have
 * Nest 11 as well, so with Nest 11 it is tested here.
 */
export function describeNest(installed: () => Installed): void {
  describe.each([11, 12])('a project on Nest %i', { timeout: 300_000 }, (major) => {
    let project: NestProject
    beforeAll(async () => {
      project = await installNestProject(major, installed().tarballs)
    }, 300_000)
    afterAll(() => project?.remove())

    test('is tested with Jest, which loads CommonJS', async () => {
      // Nest 12 has only ES modules. Jest can require these since Node 24.9, with a flag.
      const node = major === 12 ? await nodeBinary('26') : process.execPath
      await project.runOn(node, 'jest/bin/jest.js', 'orders.spec')
    })

    test('is tested with Vitest', async () => {
      expect(await project.run('vitest', 'run', 'test/orders')).toMatch(/4 passed/)
    })

    test('is typechecked', async () => {
      await project.run('tsc', '--project', '.')
    })

    test.runIf(major === 11)('keeps the contract of adapters on both platforms', async () => {
      const only = '--testNamePattern=memory store in transaction mode'
      expect(await project.run('vitest', 'run', 'contract', only)).toMatch(/\d{3} passed/)
    })
  })

  test('the Jest configuration of docs/testing.md is that of the project', () => {
    const page = readFileSync(join(workspace, 'docs', 'testing.md'), 'utf8')
    const config = join(workspace, 'tests', 'packaging', 'nest-project', 'jest.config.cjs')
    expect(page).toContain(`\`\`\`js\n${readFileSync(config, 'utf8')}\`\`\``)
  })
}
