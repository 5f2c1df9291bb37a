"""The estimators are scikit-learn's own kind: its checks pass, and its pipelines, searches and metrics take them."""

import pickle
import subprocess
import sys

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_digits
from sklearn.exceptions import ConvergenceWarning, NotFittedError
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.neural_network import MLPClassifier as TheirClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

import minidl
from minidl.sklearn import MLPClassifier, MLPRegressor

QUICK = {"learning_rate_init": 0.01, "max_iter": 40}
# Both say what is true of the few samples in these tests: all epochs were used, and few units are alive.
pytestmark = [
    pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning"),
    pytest.mark.filterwarnings("ignore:MDL006"),
]

DIGITS, NAMES = load_digits(return_X_y=True)
DIGITS, NAMES = DIGITS[:600], np.array([f"digit {n}" for n in NAMES[:600]])
TABLE, PROGRESSION = load_diabetes(return_X_y=True)


@parametrize_with_checks([MLPClassifier(**QUICK), MLPRegressor(**QUICK)])
def test_scikit_learns_own_checks_pass(estimator, check):
    check(estimator)


def test_digits_are_learnt_as_well_as_by_scikit_learns_own_perceptron():
    X, held_out = DIGITS[:400] / 16, DIGITS[400:] / 16
    ours = MLPClassifier(random_state=0, max_iter=100).fit(X, NAMES[:400])
    theirs = TheirClassifier(random_state=0, max_iter=100).fit(X, NAMES[:400])
    assert ours.score(held_out, NAMES[400:]) > 0.8
    assert ours.score(held_out, NAMES[400:]) >= theirs.score(held_out, NAMES[400:]) - 0.03
    assert ours.classes_.tolist() == theirs.classes_.tolist()
    assert log_loss(NAMES[400:], ours.predict_proba(held_out)) < 0.7


def test_a_diabetes_table_is_learnt_with_scaled_features_and_targets():
    model = make_pipeline(StandardScaler(), MLPRegressor(random_state=0, max_iter=30))
    model = TransformedTargetRegressor(model, transformer=StandardScaler()).fit(TABLE[:350], PROGRESSION[:350])
    assert model.score(TABLE[350:], PROGRESSION[350:]) > 0.4


def test_probabilities_are_those_of_the_labels_in_their_order():
    model = MLPClassifier(random_state=0, max_iter=3).fit(DIGITS, NAMES)
    p = model.predict_proba(DIGITS[:50])
    np.testing.assert_allclose(p.sum(axis=1), 1, rtol=1e-12)
    assert (model.classes_[p.argmax(axis=1)] == model.predict(DIGITS[:50])).all()
    np.testing.assert_allclose(np.exp(model.predict_log_proba(DIGITS[:50])), p, rtol=1e-12)


def test_a_grid_search_and_a_cross_validation_clone_and_score_it():
    pipeline = make_pipeline(MinMaxScaler(), MLPClassifier(random_state=0, max_iter=25, learning_rate_init=0.01))
    grid = {"mlpclassifier__hidden_layer_sizes": [(), (20,)], "mlpclassifier__optimizer": ["adam", "sgd"]}
    search = GridSearchCV(pipeline, grid, cv=2).fit(DIGITS[:300], NAMES[:300])
    assert search.best_params_["mlpclassifier__optimizer"] == "adam"
    assert search.best_score_ > 0.7
    assert len(cross_val_score(clone(search.best_estimator_), DIGITS[:300], NAMES[:300], cv=2)) == 2


def weights(model):
    return np.concatenate([array.ravel() for array in [*model.coefs_, *model.intercepts_]])


def test_one_random_state_is_one_model_and_minidls_streams_are_left_alone():
    minidl.seed(3)
    expected = minidl.backend.generator("init").random()
    minidl.seed(3)
    first, second, other = (
        MLPClassifier(random_state=n, max_iter=2, dropout=0.2).fit(DIGITS, NAMES) for n in (0, 0, 1)
    )
    assert (weights(first) == weights(second)).all()
    assert (weights(first) != weights(other)).any()
    assert minidl.backend.generator("init").random() == expected


def test_a_pickled_estimator_predicts_the_same_and_goes_on_learning_the_same():
    model = MLPClassifier(random_state=0)
    for _ in range(2):
        model.partial_fit(DIGITS, NAMES, classes=np.unique(NAMES))
    twin = pickle.loads(pickle.dumps(model))
    assert (twin.predict_proba(DIGITS) == model.predict_proba(DIGITS)).all()
    model.partial_fit(DIGITS, NAMES)
    twin.partial_fit(DIGITS, NAMES)
    assert (weights(twin) == weights(model)).all()
    assert twin.n_iter_ == len(twin.loss_curve_) == 3


def test_partial_fit_learns_from_one_part_after_the_other():
    model = MLPClassifier(random_state=0, learning_rate_init=0.01, batch_size=50)
    with pytest.raises(ValueError, match="tell all classes in the first call"):
        model.partial_fit(DIGITS, NAMES)
    for _ in range(8):
        for part in range(0, 600, 200):
            model.partial_fit(DIGITS[part : part + 200] / 16, NAMES[part : part + 200], classes=np.unique(NAMES))
    assert model.score(DIGITS / 16, NAMES) > 0.95
    with pytest.raises(ValueError, match="digit 11'] is not among the classes"):
        model.partial_fit(DIGITS[:1], ["digit 11"])
    regressor = MLPRegressor(random_state=0)
    for _ in range(3):
        regressor.partial_fit(TABLE, PROGRESSION / 100)
    assert regressor.n_iter_ == 3
    assert regressor.loss_curve_[2] < regressor.loss_curve_[0]


def test_passes_over_the_samples_are_the_epochs_of_fit():
    options = {"random_state": 0, "batch_size": len(DIGITS), "alpha": 0.0}
    passes = MLPClassifier(**options)
    for _ in range(3):
        passes.partial_fit(DIGITS / 16, NAMES, classes=np.unique(NAMES))
    np.testing.assert_allclose(
        weights(passes), weights(MLPClassifier(**options, max_iter=3).fit(DIGITS / 16, NAMES)), atol=1e-5
    )


def test_a_warm_start_goes_on_and_a_cold_one_begins_anew():
    cold, warm = (
        MLPClassifier(random_state=0, max_iter=4, warm_start=warm).fit(DIGITS, NAMES) for warm in (False, True)
    )
    assert (weights(cold) == weights(warm)).all()
    before = weights(warm).copy()
    cold.fit(DIGITS, NAMES)
    warm.fit(DIGITS, NAMES)
    assert (weights(cold) == before).all()
    assert (cold.n_iter_, warm.n_iter_, len(warm.loss_curve_)) == (4, 8, 8)
    assert warm.loss_ == warm.loss_curve_[-1] < warm.loss_curve_[3]


def test_training_ends_when_the_loss_has_stopped_falling():
    X, y = np.zeros((40, 2)), np.arange(40) % 2  # nothing to be learnt
    model = MLPClassifier(random_state=0, tol=1e-3, n_iter_no_change=4, max_iter=100).fit(X, y)
    assert 5 <= model.n_iter_ <= 10
    assert min(model.loss_curve_[:-4]) - 1e-3 <= min(model.loss_curve_)


def test_who_uses_up_all_epochs_is_warned():
    with pytest.warns(ConvergenceWarning, match="after max_iter=2 epochs"):
        MLPClassifier(random_state=0, max_iter=2).fit(DIGITS, NAMES)


def test_early_stopping_keeps_the_weights_of_the_best_epoch():
    options = {"random_state": 0, "learning_rate_init": 0.03, "early_stopping": True}
    model = MLPClassifier(**options, n_iter_no_change=3, max_iter=60).fit(DIGITS / 16, NAMES)
    losses = model.history_["validation_loss"]
    best = int(np.argmin(losses)) + 1
    assert model.n_iter_ == len(losses) == best + 3
    assert set(model.history_["accuracy"]) <= {n / 540 for n in range(541)}  # 60 of 600 held out
    assert (weights(model) == weights(MLPClassifier(**options, max_iter=best).fit(DIGITS / 16, NAMES))).all()


def test_early_stopping_holds_out_the_same_share_of_each_class_where_it_can(monkeypatch):
    splits, split = [], minidl.sklearn.train_test_split
    monkeypatch.setattr(
        minidl.sklearn, "train_test_split", lambda *x, **options: splits.append(split(*x, **options)) or splits[-1]
    )
    model = MLPClassifier(early_stopping=True, validation_fraction=0.2, max_iter=1)
    for names in (NAMES, [*NAMES[:-1], "the only one"]):
        model.fit(DIGITS, names)
    labels, held_out = splits[0][2:]
    assert len(held_out) == len(splits[1][3]) == 120
    assert np.abs(np.bincount(held_out) - np.bincount(labels) / 4).max() < 1


def test_alpha_is_scikit_learns_and_leaves_biases_alone():
    options = {"optimizer": "sgd", "batch_size": 600, "max_iter": 5, "random_state": 0, "warm_start": True}
    begun = MLPClassifier(**options, learning_rate_init=0.5).fit(DIGITS / 16, NAMES)
    before = [array.copy() for array in begun.coefs_]
    free, drawn = (
        pickle.loads(pickle.dumps(begun)).set_params(alpha=alpha, max_iter=1).fit(DIGITS / 16, NAMES)
        for alpha in (0, 60)
    )
    for w0, w, plain in zip(before, drawn.coefs_, free.coefs_, strict=True):
        np.testing.assert_allclose(w - plain, -0.5 * 60 / 600 * w0, atol=1e-6)
    for b, plain in zip(drawn.intercepts_, free.intercepts_, strict=True):
        np.testing.assert_allclose(b, plain, atol=1e-7)
        assert abs(b).max() > 1e-3


def test_a_sample_is_predicted_the_same_alone_and_among_others():
    model = MLPClassifier(random_state=0, max_iter=3).fit(DIGITS, NAMES)
    alone = np.concatenate([model.predict_proba(DIGITS[i : i + 1]) for i in range(20)])
    np.testing.assert_allclose(alone, model.predict_proba(DIGITS)[:20], rtol=1e-10)


def test_a_classifier_is_trained_by_compiled_steps():
    model = MLPClassifier(random_state=0, batch_size=10, max_iter=2).fit(DIGITS, NAMES)
    assert model.history_.reason is None
    assert model.history_[-1]["engine"] in ("replay", "machine code")


def test_several_targets_are_predicted_at_once():
    Y = np.stack([PROGRESSION, -PROGRESSION], axis=1) / 100
    model = MLPRegressor(random_state=0, max_iter=3).fit(TABLE, Y)
    assert model.predict(TABLE[:7]).shape == (7, 2)
    assert MLPRegressor(max_iter=2).fit(TABLE, Y[:, 0]).predict(TABLE[:7]).shape == (7,)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"activation": "swish"}, "activation='swish': choose one of .*logistic"),
        ({"optimizer": "lbfgs"}, "optimizer 'lbfgs': choose one of adadelta"),
        ({"max_iter": 0}, "max_iter"),
        ({"hidden_layer_sizes": (0,)}, "hidden_layer_sizes"),
        ({"hidden_layer_sizes": (8.5,)}, "hidden_layer_sizes"),
        ({"dropout": 1.0}, "Dropout: rate"),
        ({"batch_size": 0}, "batch_size|batch size"),
        ({"learning_rate_init": -1.0}, "lr"),
    ],
)
def test_a_parameter_outside_what_is_allowed_is_told_in_fit(options, message):
    with pytest.raises(ValueError, match=message):
        MLPClassifier(**options).fit(DIGITS, NAMES)


def test_samples_of_one_class_alone_teach_nothing_and_are_told():
    with pytest.raises(ValueError, match=r"all samples are of one class, \['digit 0'\]"):
        MLPClassifier().fit(DIGITS[:5], ["digit 0"] * 5)
    with pytest.raises(NotFittedError):
        MLPClassifier().predict(DIGITS)


def test_without_scikit_learn_the_extra_is_named_and_minidl_goes_on():
    program = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import minidl\n"
        "from minidl import *\n"
        "try: minidl.sklearn\n"
        "except minidl.errors.MissingExtraError as error: print(error)"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert ran.stdout == "minidl.sklearn needs scikit-learn: pip install 'minidl[sklearn]'\n", ran.stderr
