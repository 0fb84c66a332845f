import { isJson, type Json } from '../wire/json.js';
import { event, type Dialect, type ModelAnswer } from './dialect.js';
import { textOf, type ModelMessage } from './request.js';

/** Google's Gemini API; the model and the kind of answer are in the path. https://ai.google.dev/api/generate-content */
export const gemini: Dialect = {
  api: 'gemini',

  parse: (body, path) => {
    const [, model = '', method = ''] = /\/models\/([^/:]+):(\w+)$/.exec(path) ?? [];
    const system = body['systemInstruction'] ?? body['system_instruction'];
    return {
      model,
      messages: [
        ...(isJson(system) ? [{ role: 'system' as const, text: textOf(system['parts']) }] : []),
        ...list(body['contents']).flatMap(messages),
      ],
      tools: list(body['tools']).flatMap((tool) => list(tool['functionDeclarations']).map((declared) => String(declared['name']))),
      stream: method === 'streamGenerateContent',
      usage: true,
    };
  },

  whole: (answer) => chunk(answer, parts(answer), true),

  frames: (answer) => ({
    begin: [],
    token: (token) => event(chunk(answer, [{ text: token }], false)),
    end: [event(chunk(answer, parts({ ...answer, text: '' }), true))],
  }),

  failure: (status, message) => ({
    error: { code: status, message, status: statuses[status] ?? (status < 500 ? 'INVALID_ARGUMENT' : 'INTERNAL') },
  }),
};

const statuses: Readonly<Record<number, string>> = {
  401: 'UNAUTHENTICATED',
  403: 'PERMISSION_DENIED',
  404: 'NOT_FOUND',
  429: 'RESOURCE_EXHAUSTED',
  503: 'UNAVAILABLE',
};

function messages(content: Json): ModelMessage[] {
  const all = list(content['parts']);
  const results = all
    .map((part) => part['functionResponse'])
    .filter(isJson)
    .map((result): ModelMessage => ({ role: 'tool', text: resultText(result['response']) }));
  const toolCalls = all
    .map((part) => part['functionCall'])
    .filter(isJson)
    .map((call) => ({ name: String(call['name']), arguments: isJson(call['args']) ? call['args'] : {} }));
  const text = textOf(all);
  const role = content['role'] === 'model' ? 'assistant' : 'user';
  return [...results, ...(text || results.length === 0 ? [{ role, text, ...(toolCalls.length > 0 && { toolCalls }) } as const] : [])];
}

/** The result is an object; clients put a text into one field of it, whose name differs. */
function resultText(response: unknown): string {
  const [text] = isJson(response)
    ? [response['output'], response['result'], response['content']].filter((value) => typeof value === 'string')
    : [];
  return text ?? JSON.stringify(response);
}

function parts(answer: ModelAnswer): Json[] {
  const calls = answer.toolCalls.map(({ name, arguments: args }) => ({ functionCall: { name, args } }));
  return [...(answer.text ? [{ text: answer.text }] : []), ...calls];
}

function chunk(answer: ModelAnswer, content: readonly Json[], last: boolean): Json {
  const { inputTokens, outputTokens } = answer;
  return {
    candidates: [{ content: { role: 'model', parts: content }, index: 0, ...(last && { finishReason: 'STOP' }) }],
    usageMetadata: {
      promptTokenCount: inputTokens,
      candidatesTokenCount: last ? outputTokens : 0,
      totalTokenCount: inputTokens + (last ? outputTokens : 0),
    },
    modelVersion: answer.model,
    responseId: answer.id,
  };
}

function list(value: unknown): Json[] {
  return Array.isArray(value) ? value.filter(isJson) : [];
}
