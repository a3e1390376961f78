import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { command } from '../src/command.ts'
import type { Consumer } from '../src/consumer.ts'
import type { Installed } from '../src/installed.ts'
import { nodeBinary } from '../src/npm-program.ts'
import { workspace } from '../src/packages.ts'
import { snippetOf } from '../src/readme.ts'
import { oldestNode } from '../src/sample.ts'

const page = 'packages/conformance/README.md'

/** The time limit of a test that runs another test suite inside it. */
const SLOW = { timeout: 180_000 }

/** A third party with its own store and adapter that follows the README to the letter. */
export function describeThirdParty(installed: () => Installed): void {
  describe('a third party that follows the README of @oncekey/conformance', SLOW, () => {
    test('tests its store and its adapter against the contracts', async () => {
      const { consumer } = installed()
      consumer.write('src/my-store.ts', source('tests/packaging/third-party/my-store.ts'))
      consumer.write('src/my-keys.ts', source('tests/packaging/third-party/my-keys.ts'))
      consumer.write('test/my-store.test.ts', snippetOf(page, "from '../src/my-store.ts'"))
      for (const file of ['plain-adapter.ts', 'steps.ts', 'written-parts.ts']) {
        consumer.write(`test/${file}`, source(`packages/conformance/test/broken-adapters/${file}`))
      }
      consumer.write(
        'test/serve-with-my-framework.ts',
        `import { plainAdapter } from './plain-adapter.ts'
import { rightSteps } from './steps.ts'
export const serve = plainAdapter(() => rightSteps)\n`,
      )
      consumer.write('test/my-framework.test.ts', snippetOf(page, "framework 3', serve })"))
      // One of the two memory stores is enough to see that the suite runs.
      const tests = await vitest(consumer, 'test/', '--testNamePattern=^store|store in transaction')
      expect(tests.filter(({ status }) => status === 'failed')).toEqual([])
      const passed = tests.filter(({ status }) => status === 'passed')
      const of = (suite: string) => passed.filter(({ fullName }) => fullName.startsWith(suite))
      expect(of('store contract: my store').length).toBeGreaterThan(100)
      expect(of('adapter contract: my framework 3').length).toBeGreaterThan(250)
    })

    test('learns which promise its store breaks', async () => {
      const { consumer } = installed()
      const right = source('tests/packaging/third-party/my-store.ts')
      const wrong = right.replace('!claim.fingerprints.includes(row.fingerprint)', 'false')
      expect(wrong).not.toBe(right)
      consumer.write('wrong/src/my-store.ts', wrong)
      consumer.write('wrong/src/my-keys.ts', source('tests/packaging/third-party/my-keys.ts'))
      consumer.write('wrong/test/my-store.test.ts', snippetOf(page, "from '../src/my-store.ts'"))
      const tests = await vitest(consumer, 'wrong/', '--testNamePattern=mismatch')
      expect(tests.filter(({ status }) => status === 'failed').length).toBeGreaterThan(0)
    })

    test("tests its store against the contract with Node's test runner", async () => {
      const { consumer } = installed()
      consumer.write('src/my-store.js', "export { memoryStore as myStore } from '@oncekey/core'\n")
      consumer.write('node-test/my-store.js', snippetOf(page, "from 'node:test'"))
      const node = await nodeBinary(oldestNode)
      const printed = await command(node, ['--test-reporter=tap', 'node-test/my-store.js'], {
        cwd: consumer.folder,
      })
      expect(printed).toMatch(/^# pass \d{2,}\n# fail 0$/m)
    })
  })
}

function source(path: string): string {
  return readFileSync(join(workspace, path), 'utf8')
}

interface Told {
  readonly fullName: string
  readonly status: string
}

/** Runs the consumer's own Vitest, and returns its results even if tests fail. */
async function vitest(consumer: Consumer, ...args: string[]): Promise<Told[]> {
  const program = join(consumer.folder, 'node_modules', 'vitest', 'vitest.mjs')
  const outputFile = join(consumer.folder, 'tests.json')
  const report = ['--reporter=json', `--outputFile=${outputFile}`]
  const failure = await command(process.execPath, [program, 'run', ...report, ...args], {
    cwd: consumer.folder,
  }).catch((error) => error)
  try {
    const { testResults } = JSON.parse(readFileSync(outputFile, 'utf8'))
    return testResults.flatMap((file: { assertionResults: Told[] }) => file.assertionResults)
  } catch {
    throw new Error('Vitest told nothing', { cause: failure })
  }
}
