import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'

const read = (path: string) => readFileSync(new URL(path, import.meta.url), 'utf8')

/** The rules of alerts.yml by name, each without its annotations and its indentation. */
function rules(): [name: string, rule: string][] {
  const [, ...texts] = read('../monitoring/alerts.yml').split(/^ {6}(?=- alert: )/m)
  return texts.map((text) => {
    const [rule = ''] = text.split(/^ +annotations:/m)
    const name = /^- alert: (\w+)/.exec(rule)?.[1] as string
    return [name, rule.replaceAll(/^ {6}/gm, '')]
  })
}

test('the page of each alert shows its rule', () => {
  expect(rules().length).toBeGreaterThan(5)
  for (const [name, rule] of rules()) {
    const page = read(`../../../docs/alerts/${name}.md`)
    expect(page, name).toContain(`## The rule\n\n\`\`\`yaml\n${rule}\`\`\`\n`)
  }
})

// Whoever wanted to see all rules had to open nine pages.
test('one page shows all rules', () => {
  const all = rules().map(([, rule]) => rule)
  const page = read('../../../docs/telemetry.md')
  expect(page).toContain(`### All rules\n\n\`\`\`yaml\n${all.join('')}\`\`\`\n`)
})

test('the package contains the rules and the dashboard that its pages name', () => {
  const { files } = JSON.parse(read('../package.json'))
  expect(files).toEqual(
    expect.arrayContaining(['monitoring/alerts.yml', 'monitoring/grafana.json']),
  )
})
