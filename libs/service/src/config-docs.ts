import { defaultOf, metaOf, variableNames, type VariableName } from './config.js';

/** The text of `.env.example`: every variable with its default or an example, commented out. */
export function envExample(): string {
  const sections = groups().map(([group, names]) => {
    const entries = names.map(
      (name) => `# ${plain(metaOf(name).description)}\n# ${name}=${defaultOf(name) ?? metaOf(name).example ?? ''}\n`,
    );
    return `## ${group}\n\n${entries.join('\n')}`;
  });
  return `# Made from libs/service/src/variables.ts by libs/service/scripts/write-configuration-docs.mjs. Copy it to .env and uncomment what you change.\n\n${sections.join('\n')}`;
}

/** The text of docs/configuration.md. */
export function configurationPage(): string {
  const sections = groups().map(([group, names]) => {
    const rows = names.map(
      (name) => `| \`${name}\` | ${defaultCell(name)} | ${metaOf(name).description}${metaOf(name).secret ? ' Secret.' : ''} |`,
    );
    return `## ${group}\n\n| variable | default | meaning |\n|---|---|---|\n${rows.join('\n')}\n`;
  });
  return `# Configuration

<!-- Made from libs/service/src/variables.ts by libs/service/scripts/write-configuration-docs.mjs. -->

Every setting is an environment variable. An empty value counts as unset. All of them are checked before anything starts: problems are listed together on
stderr and the process exits with code 78. A \`ROCKPOOL_*\` name that is not listed here is reported as a warning. Tenants, channels and their secrets are not set
here but in \`tenants.yaml\`.

${sections.join('\n')}`;
}

function groups(): [string, VariableName[]][] {
  return [...Map.groupBy(variableNames, (name) => metaOf(name).group)];
}

function defaultCell(name: VariableName): string {
  const value = defaultOf(name);
  return value !== undefined ? `\`${value}\`` : (metaOf(name).defaultText ?? '–');
}

function plain(description: string): string {
  return description.replaceAll('`', '');
}
