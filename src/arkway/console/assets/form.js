// A form. Values stay in the page until it is sent: nothing is told of single keystrokes.
let made = 0;

const Field = {
  props: { field: Object, id: String, values: Object, wrong: Object, disabled: Boolean },
  emits: ["changed", "send"],
  methods: {
    changed() {
      this.$emit("changed");
    },
    send() {
      this.$emit("send");
    },
  },
  template: `
    <div class="field" :class="{ wide: field.wide }">
        <label v-if="field.kind !== 'check'" :for="id + field.name">{{ field.label }}</label>
        <select v-if="field.kind === 'select'" class="in" :id="id + field.name" v-model="values[field.name]" :disabled="disabled"
          :aria-describedby="id + field.name + 'h'" @change="changed">
          <option v-for="option in field.options" :key="option.value" :value="option.value">{{ option.label }}</option>
        </select>
        <textarea v-else-if="field.kind === 'lines'" class="in" :id="id + field.name" v-model="values[field.name]" :disabled="disabled"
          :rows="field.rows || 3" :placeholder="field.placeholder" :aria-describedby="id + field.name + 'h'" spellcheck="false"
          :aria-invalid="!!(wrong && wrong[field.name])" @keydown.ctrl.enter.prevent="send" @keydown.meta.enter.prevent="send"></textarea>
        <div v-else-if="field.kind === 'check'" class="check">
          <input type="checkbox" :id="id + field.name" v-model="values[field.name]" :disabled="disabled" @change="changed" />
          <label :for="id + field.name">{{ field.label }}</label>
        </div>
        <input v-else class="in" :id="id + field.name" v-model="values[field.name]" :type="field.kind || 'text'" :disabled="disabled"
          :min="field.min" :max="field.max" :step="field.step" :placeholder="field.placeholder" :required="field.required"
          :list="field.choices ? id + field.name + 'l' : null" :autocomplete="field.kind === 'password' ? 'off' : null"
          :aria-describedby="id + field.name + 'h'" :aria-invalid="!!(wrong && wrong[field.name])" @change="changed" />
        <datalist v-if="field.choices" :id="id + field.name + 'l'"><option v-for="choice in field.choices" :key="choice" :value="choice"></option></datalist>
        <span :id="id + field.name + 'h'" v-if="field.hint || (wrong && wrong[field.name])">
          <span v-if="wrong && wrong[field.name]" class="wrong" role="alert">{{ wrong[field.name] }}</span>
          <span v-else class="hint">{{ field.hint }}</span>
        </span>
    </div>`,
};

export default {
  components: { Field },
  props: {
    fields: Array, // {name, label, kind, value, hint, options, placeholder, wide, min, max, step, required}
    wrong: Object, // name -> what is wrong with it
    layout: { type: String, default: "form" },
    submitLabel: String,
    moreLabel: String, // of the fields with `more`, which are folded away
    cancelLabel: String,
    isDanger: Boolean,
    sendsChanges: Boolean, // a change is sent at once, as filters are
    disabled: Boolean,
  },
  emits: ["send", "cancel"],
  data() {
    return { id: `form-${++made}`, values: this.initial() };
  },
  watch: {
    fields() {
      this.values = this.initial();
    },
    // What is wrong may be out of sight, above the button that was pressed.
    wrong(problems) {
      const first = this.fields.find((field) => problems?.[field.name]);
      if (first) this.$nextTick(() => document.getElementById(this.id + first.name)?.focus());
    },
  },
  methods: {
    initial() {
      return Object.fromEntries(this.fields.map((field) => [field.name, field.value ?? (field.kind === "check" ? false : "")]));
    },
    send() {
      this.$emit("send", { ...this.values });
    },
    changed() {
      if (this.sendsChanges) this.send();
    },
    // What somebody has typed meanwhile stays.
    replace_value(name, old, value) {
      if ((this.values[name] ?? "") === old) this.values[name] = value;
    },
  },
  template: `
    <form :class="layout" autocomplete="off" novalidate @submit.prevent="send">
      <Field v-for="field in fields.filter((each) => !each.more)" :key="field.name" :field="field" :id="id" :values="values"
        :wrong="wrong" :disabled="disabled" @changed="changed" @send="send" />
      <details v-if="moreLabel" class="more-fields">
        <summary>{{ moreLabel }}</summary>
        <div :class="layout">
          <Field v-for="field in fields.filter((each) => each.more)" :key="field.name" :field="field" :id="id" :values="values"
            :wrong="wrong" :disabled="disabled" @changed="changed" @send="send" />
        </div>
      </details>
      <div v-if="submitLabel" class="foot wide row" :style="layout.startsWith('form') ? 'justify-content: flex-end' : ''">
        <button v-if="cancelLabel" type="button" class="btn" @click="$emit('cancel')">{{ cancelLabel }}</button>
        <button type="submit" class="btn main-act" :class="{ danger: isDanger }" :disabled="disabled">{{ submitLabel }}</button>
      </div>
    </form>`,
};
